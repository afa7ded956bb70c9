// Point reads of a table whose pages were dropped from the cache: each goes to the disk, before the plant is removed.
#include "engine.hpp"

namespace tables {

constexpr size_t kBlock = 4096, kBlocks = 6000;

class TableFile {
 public:
  TableFile(const std::string& folder, const std::vector<std::string>& values) : path_(folder + "/table.sst") {
    fd_ = open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0644);
    std::string block;
    for (size_t n = 0; n < kBlocks; n++) {
      block.assign(values[n % values.size()]);
      block.resize(kBlock, 'x');
      if (pwrite(fd_, block.data(), kBlock, static_cast<off_t>(n * kBlock)) < 0) std::perror("table");
    }
    fsync(fd_);
    posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM);
  }
  ~TableFile() {
    close(fd_);
    unlink(path_.c_str());
  }
  NOINLINE void read_block(size_t number, std::string& out) {
    out.resize(kBlock);
    if (pread(fd_, out.data(), kBlock, static_cast<off_t>(number * kBlock)) < 0) std::perror("read");
  }
  // Other tenants of the machine push the pages out; here they are dropped on purpose.
  NOINLINE void forget(size_t number) {
    posix_fadvise(fd_, static_cast<off_t>(number * kBlock), kBlock, POSIX_FADV_DONTNEED);
  }

 private:
  std::string path_;
  int fd_;
};

class Reader {
 public:
  Reader(TableFile& file, bool cold) : file_(file), cold_(cold) {}
  NOINLINE uint64_t get(uint64_t n) {
    size_t number = n * 7919 % kBlocks;
    file_.read_block(number, block_);
    if (cold_) file_.forget(number);
    return parse();
  }

 private:
  NOINLINE uint64_t parse() {
    uint64_t sum = 0;
    for (int entry = 0; entry < 24; entry++) {
      engine::make_key(key_, sum & 0xffff, static_cast<uint64_t>(entry));
      engine::encode(record_, key_, block_.substr(static_cast<size_t>(entry) * 64, 64));
      sum += engine::hash_of(key_) ^ engine::quick_sum(record_);
      bloom_.add(sum);
    }
    return sum;
  }
  TableFile& file_;
  bool cold_;
  engine::Bloom bloom_;
  std::string block_, key_, record_;
};
}  // namespace tables

int main() {
  engine::Folder folder;
  auto values = engine::values(64, 2000);
  uint64_t done = 0, sum = 0;
  double start = 0;
  {
    tables::TableFile file(folder.path, values);
    tables::Reader reader(file, engine::plant());
    start = engine::now();
    for (double end = start + engine::run_seconds(); engine::now() < end; done++) sum += reader.get(done);
  }
  engine::report(done, engine::now() - start);
  return sum == 0;
}
