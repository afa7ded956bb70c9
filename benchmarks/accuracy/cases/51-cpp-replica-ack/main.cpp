// A primary sends each record to its replica over a socket and waits for the answer before the next.
#include "engine.hpp"

#include <sys/socket.h>
#include <sys/wait.h>

namespace replication {

// The replica, a process of its own; it answers each record or, without the plant, each hundredth.
void follow(int socket) {
  char record[4096];
  for (ssize_t size; (size = recv(socket, record, sizeof record, 0)) > 0;) {
    usleep(60);
    if (send(socket, record, 8, 0) < 0) break;
  }
}

class Replica {
 public:
  Replica(int socket, uint64_t window) : socket_(socket), window_(window) {}
  NOINLINE void replicate(const std::string& record) {
    batch_.append(record);
    if (++pending_ >= window_) {
      ship();
      await_ack();
    }
  }

 private:
  NOINLINE void ship() {
    if (send(socket_, batch_.data(), std::min<size_t>(batch_.size(), 4000), 0) < 0) std::perror("send");
    batch_.clear();
    pending_ = 0;
  }
  NOINLINE void await_ack() {
    char ack[8];
    if (recv(socket_, ack, sizeof ack, MSG_WAITALL) < 0) std::perror("recv");
  }
  int socket_;
  uint64_t window_, pending_ = 0;
  std::string batch_;
};

class Primary {
 public:
  Primary(const std::string& folder, Replica& replica) : log_(folder, "log"), replica_(replica) {}
  NOINLINE void put(uint64_t n, const std::vector<std::string>& values) {
    for (uint64_t i = 0; i < 120; i++) {
      engine::make_key(key_, n, i);
      engine::encode(record_, key_, values[(n + i) % values.size()]);
      uint64_t hash = engine::hash_of(key_) ^ engine::quick_sum(record_);
      bloom_.add(hash);
      if (table_.insert(hash, record_)) table_.clear();
      log_.append(record_);
    }
    replica_.replicate(record_);
  }

 private:
  engine::Log log_;
  Replica& replica_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_;
};
}  // namespace replication

int main() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
  pid_t child = fork();
  if (child == 0) {
    close(pair[0]);
    replication::follow(pair[1]);
    _exit(0);
  }
  close(pair[1]);
  engine::Folder folder;
  auto values = engine::values(256, 100);
  uint64_t done = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    replication::Replica replica(pair[0], engine::plant() ? 1 : 100);
    replication::Primary primary(folder.path, replica);
    for (; engine::now() < end; done++) primary.put(done, values);
  }
  engine::report(done, engine::now() - start);
  close(pair[0]);
  waitpid(child, nullptr, 0);
}
