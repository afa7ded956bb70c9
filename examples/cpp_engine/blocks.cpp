// Compression, blocks and their cache.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <storeprof/profile.hpp>

#include "engine.hpp"

namespace tsdb {
namespace {

void put_varint(Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

uint64_t get_varint(const Bytes& in, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(in.at(at++));
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }

uint64_t bits_of(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
double value_of(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

Bytes CompressionEngine::compress(const core::Samples& samples) const {
  PROFILE_FUNCTION();
  Bytes out;
  put_varint(out, samples.size());
  int64_t before = 0;
  uint64_t previous = 0;
  for (const auto& sample : samples) {
    put_varint(out, zigzag(sample.timestamp - before));
    before = sample.timestamp;
    const uint64_t changed = bits_of(sample.value) ^ previous;
    previous ^= changed;
    // The high bytes are those that change least: a byte for how many follow, then the low ones.
    const int bytes = changed == 0 ? 0 : 8 - __builtin_clzll(changed) / 8;
    out.push_back(static_cast<char>(bytes));
    for (int i = 0; i < bytes; i++) out.push_back(static_cast<char>(changed >> (8 * i)));
  }
  return out;
}

core::Samples CompressionEngine::decompress(const Bytes& bytes) const {
  PROFILE_FUNCTION();
  size_t at = 0;
  core::Samples samples(get_varint(bytes, at));
  int64_t timestamp = 0;
  uint64_t bits = 0;
  for (auto& sample : samples) {
    timestamp += unzigzag(get_varint(bytes, at));
    const int count = bytes.at(at++);
    for (int i = 0; i < count; i++)
      bits ^= uint64_t{static_cast<unsigned char>(bytes.at(at++))} << (8 * i);
    sample = {timestamp, value_of(bits)};
  }
  return samples;
}

BlockManager::BlockManager(const std::string& directory)
    : file_(open((directory + "/blocks").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (file_ < 0) throw std::runtime_error(directory + "/blocks: " + std::strerror(errno));
}
BlockManager::~BlockManager() { close(file_); }

BlockHandle BlockManager::store_block(const core::Samples& samples) {
  PROFILE_FUNCTION();
  const Bytes bytes = compression_.compress(samples);
  BlockHandle handle{0, 0, bytes.size(), samples.front().timestamp, samples.back().timestamp};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    handle.id = next_id_++;
    handle.offset = end_;
    end_ += bytes.size();
  }
  if (pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(handle.offset)) !=
      static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error(std::string("blocks: ") + std::strerror(errno));
  return handle;
}

core::Samples BlockManager::load_block(const BlockHandle& handle) const {
  PROFILE_FUNCTION();
  Bytes bytes(handle.bytes, '\0');
  if (pread(file_, bytes.data(), bytes.size(), static_cast<off_t>(handle.offset)) !=
      static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("blocks: a block is cut short");
  return compression_.decompress(bytes);
}

Block CacheHierarchy::take(Level& level, uint64_t id) {
  const auto found = level.places.find(id);
  if (found == level.places.end()) return nullptr;
  Block block = std::move(found->second->second);
  level.order.erase(found->second);
  level.places.erase(found);
  return block;
}

std::optional<std::pair<uint64_t, Block>> CacheHierarchy::insert(Level& level, uint64_t id, Block block) {
  level.order.emplace_front(id, std::move(block));
  level.places[id] = level.order.begin();
  if (level.order.size() <= level.capacity) return std::nullopt;
  auto oldest = std::move(level.order.back());
  level.order.pop_back();
  level.places.erase(oldest.first);
  return oldest;
}

Block CacheHierarchy::get(uint64_t id) {
  PROFILE_FUNCTION();
  std::lock_guard<std::mutex> lock(mutex_);
  Block block = take(levels_[0], id);
  if (!block) block = take(levels_[1], id);
  if (!block) {
    misses_++;
    return nullptr;
  }
  hits_++;
  if (auto oldest = insert(levels_[0], id, block)) insert(levels_[1], oldest->first, std::move(oldest->second));
  return block;
}

void CacheHierarchy::put(uint64_t id, Block block) {
  PROFILE_FUNCTION();
  std::lock_guard<std::mutex> lock(mutex_);
  take(levels_[0], id);
  take(levels_[1], id);
  insert(levels_[1], id, std::move(block));
}

}  // namespace tsdb
