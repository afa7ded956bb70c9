// Every batch writes the manifest to a new file, syncs it and renames it over the old one.
#include "engine.hpp"

namespace catalog {

class Manifest {
 public:
  explicit Manifest(const std::string& folder) : path_(folder + "/MANIFEST"), next_(path_ + ".next") {}
  ~Manifest() { unlink(path_.c_str()); }

  NOINLINE void record(uint64_t table, uint64_t smallest, uint64_t largest) {
    engine::put_varint(text_, table);
    engine::put_varint(text_, smallest);
    engine::put_varint(text_, largest);
    if (text_.size() > 4096) text_.erase(0, 2048);
  }
  NOINLINE void install() {
    int fd = open(next_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0 || write(fd, text_.data(), text_.size()) < 0) std::perror("manifest");
    fdatasync(fd);
    close(fd);
    if (std::rename(next_.c_str(), path_.c_str()) != 0) std::perror("rename");
  }

 private:
  std::string path_, next_, text_;
};

class Store {
 public:
  explicit Store(const std::string& folder) : manifest_(folder), log_(folder, "log"), every_(engine::plant() ? 1 : 2000) {}

  NOINLINE void batch(uint64_t n, const std::vector<std::string>& values) {
    for (uint64_t i = 0; i < 300; i++) {
      engine::make_key(key_, n, i);
      engine::encode(record_, key_, values[(n + i) % values.size()]);
      uint64_t hash = engine::hash_of(key_) ^ engine::quick_sum(record_);
      bloom_.add(hash);
      if (table_.insert(hash, record_)) table_.clear();
      log_.append(record_);
    }
    manifest_.record(n, n * 300, n * 300 + 299);
    if (n % every_ == 0) manifest_.install();
  }

 private:
  Manifest manifest_;
  engine::Log log_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  uint64_t every_;
  std::string key_, record_;
};
}  // namespace catalog

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 80);
  uint64_t done = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    catalog::Store store(folder.path);
    for (; engine::now() < end; done++) store.batch(done, values);
  }
  engine::report(done, engine::now() - start);
}
