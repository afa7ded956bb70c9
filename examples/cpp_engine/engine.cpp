// Writing, reading, and the thread that turns full buffers into blocks.
#include "engine.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <storeprof/profile.hpp>

namespace tsdb {

BackgroundProcessor::BackgroundProcessor(BlockManager& blocks, Index& index)
    : blocks_(blocks), index_(index), thread_([this] { run(); }) {}

BackgroundProcessor::~BackgroundProcessor() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundProcessor::submit(std::shared_ptr<const core::TimeSeries> full) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < kMostWaiting; });
  queue_.push_back(std::move(full));
  changed_.notify_all();
}

void BackgroundProcessor::drain() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty(); });
}

std::vector<std::shared_ptr<const core::TimeSeries>> BackgroundProcessor::waiting(const std::string& labels) {
  std::vector<std::shared_ptr<const core::TimeSeries>> found;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& one : queue_)
    if (one->labels == labels) found.push_back(one);
  return found;
}

void BackgroundProcessor::run() {
#if defined(__APPLE__)
  pthread_setname_np("background");
#else
  pthread_setname_np(pthread_self(), "background");
#endif
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto full = queue_.front();
    lock.unlock();
    process(*full);
    lock.lock();
    queue_.pop_front();
    changed_.notify_all();
  }
}

void BackgroundProcessor::process(const core::TimeSeries& full) {
  PROFILE_FUNCTION();
  const BlockHandle handle = blocks_.store_block(full.samples);
  PROFILE_MEMORY_DEALLOC("TimeSeries", full.samples.capacity() * sizeof(core::Sample));
  std::lock_guard<std::mutex> lock(index_.mutex);
  index_.blocks[full.labels].push_back(handle);
}

StorageImpl::StorageImpl(const StorageOptions& options)
    : options_(options),
      blocks_(options.directory),
      log_(open((options.directory + "/wal").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644)) {
  if (log_ < 0) throw std::runtime_error(options.directory + "/wal: " + std::strerror(errno));
}

StorageImpl::~StorageImpl() {
  try {
    flush();
  } catch (const std::exception&) {  // a destructor has nobody to tell; flush() says it
  }
  close(log_);
}

void StorageImpl::append_to_log(const std::string& labels, core::Sample sample) {
  PROFILE_SCOPE("StorageImpl::append_to_log");
  log_buffer_.append(labels).push_back('\0');
  log_buffer_.append(reinterpret_cast<const char*>(&sample), sizeof sample);
  if (log_buffer_.size() >= (64u << 10) || unsynced_ + 1 >= options_.wal_sync_every) {
    if (::write(log_, log_buffer_.data(), log_buffer_.size()) != static_cast<ssize_t>(log_buffer_.size()))
      throw std::runtime_error(std::string("wal: ") + std::strerror(errno));
    log_buffer_.clear();
  }
  if (++unsynced_ >= options_.wal_sync_every) {
#if defined(__APPLE__)
    fsync(log_);
#else
    fdatasync(log_);
#endif
    unsynced_ = 0;
  }
}

void StorageImpl::write(const std::string& labels, core::Sample sample) {
  PROFILE_FUNCTION();
  std::shared_ptr<core::TimeSeries> full;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    append_to_log(labels, sample);
    auto& series = open_[labels];
    if (!series) {
      series = std::make_shared<core::TimeSeries>(core::TimeSeries{labels, {}});
      series->samples.reserve(options_.samples_per_block);
      PROFILE_MEMORY_ALLOC("TimeSeries", series->samples.capacity() * sizeof(core::Sample));
    }
    series->samples.push_back(sample);
    if (series->samples.size() < options_.samples_per_block) return;
    full = std::move(series);
    background_.submit(full);  // under the lock, so that a reader finds it either here or there
  }
}

core::Samples StorageImpl::read(const std::string& labels, int64_t from, int64_t to) {
  PROFILE_FUNCTION();
  core::Samples result;
  const auto keep = [&](const core::Samples& samples) {
    const auto before = [](const core::Sample& one, int64_t time) { return one.timestamp < time; };
    auto at = std::lower_bound(samples.begin(), samples.end(), from, before);
    for (; at != samples.end() && at->timestamp < to; ++at) result.push_back(*at);
  };
  std::vector<BlockHandle> stored;
  core::Samples open, queued;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // What waits is looked at before what is stored: a block that moves between the two is seen twice, not never.
    for (const auto& one : background_.waiting(labels))
      queued.insert(queued.end(), one->samples.begin(), one->samples.end());
    std::lock_guard<std::mutex> index_lock(index_.mutex);
    const auto found = index_.blocks.find(labels);
    if (found != index_.blocks.end())
      for (const auto& handle : found->second)
        if (handle.last >= from && handle.first < to) stored.push_back(handle);
    const auto series = open_.find(labels);
    if (series != open_.end() && series->second) open = series->second->samples;
  }
  int64_t last_stored = INT64_MIN;
  for (const auto& handle : stored) {
    Block block = cache_.get(handle.id);
    if (!block) {
      block = std::make_shared<const core::Samples>(blocks_.load_block(handle));
      cache_.put(handle.id, block);
    }
    keep(*block);
    last_stored = handle.last;
  }
  queued.erase(std::remove_if(queued.begin(), queued.end(),
                              [&](const core::Sample& one) { return one.timestamp <= last_stored; }),
               queued.end());
  keep(queued);
  keep(open);
  return result;
}

void StorageImpl::flush() {
  PROFILE_FUNCTION();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [labels, series] : open_) {
      if (series && !series->samples.empty()) background_.submit(series);
      series.reset();
    }
    if (::write(log_, log_buffer_.data(), log_buffer_.size()) != static_cast<ssize_t>(log_buffer_.size()))
      throw std::runtime_error(std::string("wal: ") + std::strerror(errno));
    log_buffer_.clear();
  }
  background_.drain();
}

}  // namespace tsdb
