// A small time-series engine, real enough to have something to profile: a write-ahead log, blocks compressed in the
// background, a cache in two levels. Its classes and functions are those of the profiling guide (docs/guide/).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace tsdb {
namespace core {

struct Sample {
  int64_t timestamp;
  double value;
};
using Samples = std::vector<Sample>;

// The newest samples of one series, not yet in a block.
struct TimeSeries {
  std::string labels;
  Samples samples;
};

}  // namespace core

using Bytes = std::string;

// Timestamps as differences, values as the bytes in which they differ from their predecessor.
class CompressionEngine {
 public:
  Bytes compress(const core::Samples& samples) const;
  core::Samples decompress(const Bytes& bytes) const;
};

struct BlockHandle {
  uint64_t id, offset, bytes;
  int64_t first, last;
};

// Blocks in one append-only file.
class BlockManager {
 public:
  explicit BlockManager(const std::string& directory);
  ~BlockManager();
  BlockHandle store_block(const core::Samples& samples);
  core::Samples load_block(const BlockHandle& handle) const;
  uint64_t bytes_stored() const { return end_; }

 private:
  CompressionEngine compression_;
  int file_;
  std::mutex mutex_;  // guards end_ and next_id_
  uint64_t end_ = 0, next_id_ = 1;
};

using Block = std::shared_ptr<const core::Samples>;

// Least recently used, in two levels: what is asked for again in the second moves to the small first one.
class CacheHierarchy {
 public:
  CacheHierarchy(size_t first_level, size_t second_level) : levels_{Level{first_level}, Level{second_level}} {}
  Block get(uint64_t id);
  void put(uint64_t id, Block block);
  uint64_t hits() const { return hits_; }
  uint64_t misses() const { return misses_; }

 private:
  struct Level {
    explicit Level(size_t most) : capacity(most) {}
    size_t capacity;
    std::list<std::pair<uint64_t, Block>> order;  // newest first
    std::unordered_map<uint64_t, std::list<std::pair<uint64_t, Block>>::iterator> places;
  };
  static Block take(Level& level, uint64_t id);
  static std::optional<std::pair<uint64_t, Block>> insert(Level& level, uint64_t id, Block block);

  Level levels_[2];
  std::mutex mutex_;  // guards all of it
  uint64_t hits_ = 0, misses_ = 0;
};

struct Index {  // per series: its blocks in order of time
  std::mutex mutex;
  std::map<std::string, std::vector<BlockHandle>> blocks;
};

// Full buffers become blocks on a thread of its own.
class BackgroundProcessor {
 public:
  BackgroundProcessor(BlockManager& blocks, Index& index);
  ~BackgroundProcessor();
  void submit(std::shared_ptr<const core::TimeSeries> full);  // waits while the queue is full
  void drain();                                               // returns when all that was submitted is stored
  std::vector<std::shared_ptr<const core::TimeSeries>> waiting(const std::string& labels);  // all, at one moment

 private:
  void run();
  void process(const core::TimeSeries& full);

  static constexpr size_t kMostWaiting = 64;
  BlockManager& blocks_;
  Index& index_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const core::TimeSeries>> queue_;  // the front one stays until it is stored
  bool stopping_ = false;
  std::thread thread_;
};

struct StorageOptions {
  std::string directory;
  size_t samples_per_block = 512;
  size_t wal_sync_every = 4096;  // writes between two fdatasync of the log
};

class StorageImpl {
 public:
  explicit StorageImpl(const StorageOptions& options);
  ~StorageImpl();
  void write(const std::string& labels, core::Sample sample);
  core::Samples read(const std::string& labels, int64_t from, int64_t to);
  void flush();
  const CacheHierarchy& cache() const { return cache_; }
  const BlockManager& blocks() const { return blocks_; }

 private:
  void append_to_log(const std::string& labels, core::Sample sample);

  StorageOptions options_;
  BlockManager blocks_;
  Index index_;
  CacheHierarchy cache_{16, 256};
  BackgroundProcessor background_{blocks_, index_};
  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, std::shared_ptr<core::TimeSeries>> open_;
  std::string log_buffer_;
  size_t unsynced_ = 0;
  int log_;
};

}  // namespace tsdb
