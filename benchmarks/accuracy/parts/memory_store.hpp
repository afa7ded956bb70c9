// A healthy in-memory store for planted programs, in which no cost is a tenth, and the loop that drives one.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace {

const bool plant = !std::getenv("PLANT") || std::strcmp(std::getenv("PLANT"), "0") != 0;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// So often a second, as long as somebody asks often enough.
class Pace {
  public:
    explicit Pace(double rate) : interval_(1 / rate), due_(now()) {}
    bool due() {
        double at = now();
        if (at < due_) return false;
        due_ = std::max(due_ + interval_, at - 0.25);
        return true;
    }

  private:
    double interval_, due_;
};

uint64_t hash_of(const char* text, size_t size) {
    uint64_t h = 1469598103934665603ull;
    for (size_t i = 0; i < size; i++) h = (h ^ static_cast<uint8_t>(text[i])) * 1099511628211ull;
    return h;
}

// A healthy write and read path: its costs are spread, none of them is a tenth.
class Wal {
  public:
    NOINLINE void append(const std::string& key, const std::string& value) {
        if (used_ + 512 > sizeof buffer_) roll();
        used_ += frame(key, value);
    }
    NOINLINE size_t frame(const std::string& key, const std::string& value) {
        std::memcpy(buffer_ + used_, key.data(), key.size());
        std::memcpy(buffer_ + used_ + key.size(), value.data(), value.size());
        return key.size() + value.size();
    }
    NOINLINE void roll() { used_ = 0; }

  private:
    char buffer_[1 << 15];
    size_t used_ = 0;
};

class Checksum {
  public:
    NOINLINE void add(const std::string& value) {
        uint64_t word = 0;
        for (size_t i = 0; i + 8 <= value.size() && i < 64; i += 8) std::memcpy(&word, value.data() + i, 8), sum_ = (sum_ ^ word) * 31;
    }
    uint64_t sum() const { return sum_; }

  private:
    uint64_t sum_ = 0;
};

class MemTable {
  public:
    NOINLINE void put(uint64_t series, const std::string& value) { slots_[series & 255].assign(value); }
    NOINLINE uint64_t get(uint64_t series) const { return slots_[series & 255].size(); }
    NOINLINE uint64_t scan(uint64_t from) const {
        uint64_t found = 0;
        for (uint64_t i = 0; i < 8; i++) found += slots_[(from + i) & 255].size();
        return found;
    }

  private:
    std::string slots_[256];
};

class Bloom {
  public:
    NOINLINE void add(uint64_t hash) { for (int i = 0; i < 4; i++, hash = hash * 5 + 1) words_[hash & 511] |= 1ull << (hash >> 58); }
    NOINLINE bool may_contain(uint64_t hash) const {
        for (int i = 0; i < 4; i++, hash = hash * 5 + 1)
            if (!(words_[hash & 511] >> (hash >> 58) & 1)) return false;
        return true;
    }

  private:
    uint64_t words_[512] = {};
};

class Quotas {
  public:
    NOINLINE bool charge(uint64_t series, size_t size) {
        auto& left = left_[series & 63];
        left -= static_cast<int64_t>(size);
        if (left < 0) left = 1 << 20;
        return left > 0;
    }

  private:
    int64_t left_[64] = {};
};

class Sizes {
  public:
    NOINLINE void note(size_t size) { for (size_t bucket = 0; bucket < 10; bucket++) counts_[bucket] += size >> bucket & 1; }

  private:
    uint64_t counts_[10] = {};
};

class Index {
  public:
    Index() { for (uint64_t i = 0; i < 256; i++) firsts_[i] = i << 56; }
    NOINLINE uint64_t place(uint64_t series) const {
        uint64_t low = 0;
        for (uint64_t step = 128; step; step /= 2) if (firsts_[low + step] <= series) low += step;
        return low;
    }

  private:
    uint64_t firsts_[257];
};

class Store {
  public:
    NOINLINE void put(const std::string& key, const std::string& value) {
        uint64_t series = series_of(key);
        quotas_.charge(series, value.size());
        wal_.append(key, value);
        checksum_.add(value);
        table_.put(index_.place(series), value);
        bloom_.add(series);
        sizes_.note(value.size());
    }
    NOINLINE uint64_t get(const std::string& key) {
        uint64_t series = series_of(key);
        return bloom_.may_contain(series) ? table_.get(index_.place(series)) : 0;
    }
    NOINLINE uint64_t scan(uint64_t from) { return table_.scan(from); }
    NOINLINE uint64_t series_of(const std::string& key) const { return hash_of(key.data(), key.size()); }
    uint64_t checksum() const { return checksum_.sum(); }

  private:
    Wal wal_;
    Checksum checksum_;
    MemTable table_;
    Bloom bloom_;
    Quotas quotas_;
    Sizes sizes_;
    Index index_;
};

// Keys and values of a workload, made beforehand.
struct Workload {
    std::vector<std::string> keys, values;
    Workload() {
        for (int i = 0; i < 997; i++) {
            keys.push_back("series-" + std::to_string(i * 7919 % 5000));
            values.emplace_back(40 + i % 160, static_cast<char>('a' + i % 26));
        }
    }
    const std::string& key(uint64_t i) const { return keys[i % keys.size()]; }
    const std::string& value(uint64_t i) const { return values[i * 31 % values.size()]; }
};

template <class Operation> void drive(Operation operation) {
    const char* wanted = std::getenv("RUN_SECONDS");
    double seconds = wanted ? std::atof(wanted) : 8.0, start = now(), at = start;
    uint64_t done = 0;
    for (; at < start + seconds; at = now())
        for (int i = 0; i < 200; i++) operation(done++);
    std::printf("ops=%llu seconds=%.3f\n", static_cast<unsigned long long>(done), at - start);
}

}  // namespace
