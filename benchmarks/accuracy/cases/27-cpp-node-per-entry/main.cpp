// Readers merge the newest entries of three runs, oldest first, through a list of heap nodes.
#include <thread>

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

class Wal {
  public:
    NOINLINE void append(const std::string& key, const std::string& value) {
        if (used_ + key.size() + value.size() + 8 > sizeof buffer_) used_ = 0;
        std::memcpy(buffer_ + used_, key.data(), key.size());
        std::memcpy(buffer_ + used_ + key.size(), value.data(), value.size());
        used_ += key.size() + value.size();
        checksum_ = checksum_ * 31 + hash_of(value.data(), value.size() < 24 ? value.size() : 24);
    }
    uint64_t checksum() const { return checksum_; }

  private:
    char buffer_[1 << 16];
    size_t used_ = 0;
    uint64_t checksum_ = 0;
};

class MemTable {
  public:
    NOINLINE void put(uint64_t series, const std::string& value) {
        auto& slot = slots_[series & 1023];
        slot.assign(value);
        bytes_ += value.size();
    }
    NOINLINE const std::string& get(uint64_t series) const { return slots_[series & 1023]; }
    NOINLINE uint64_t scan(uint64_t from) const {
        uint64_t found = 0;
        for (uint64_t i = 0; i < 6; i++) found += slots_[(from + i) & 1023].size();
        return found;
    }

  private:
    std::string slots_[1024];
    uint64_t bytes_ = 0;
};

struct Entry {
    uint64_t key, version;
    char body[48];
};

class Merge {
  public:
    Merge() : runs_(3, std::vector<Entry>(256)) {
        for (size_t run = 0; run < runs_.size(); run++)
            for (size_t i = 0; i < runs_[run].size(); i++) runs_[run][i] = {i * 3 + run, run, "body"};
    }
    NOINLINE uint64_t newest(size_t from) const { return plant ? merged(from) : direct(from); }

  private:
    NOINLINE uint64_t merged(size_t from) const {
        std::list<std::unique_ptr<Entry>> order;
        for (auto& run : runs_)
            for (size_t i = 0; i < 4; i++) order.push_back(std::make_unique<Entry>(run[(from + i) % run.size()]));
        uint64_t sum = 0;
        for (auto& one : order) sum += one->key ^ one->version;
        return sum;
    }
    NOINLINE uint64_t direct(size_t from) const {
        uint64_t sum = 0;
        for (auto& run : runs_)
            for (size_t i = 0; i < 4; i++) sum += run[(from + i) % run.size()].key ^ run[(from + i) % run.size()].version;
        return sum;
    }
    std::vector<std::vector<Entry>> runs_;
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

int main() {
    static Wal wal;
    static MemTable table;
    Merge merge;
    uint64_t read = 0;
    std::string key, value;
    drive([&](uint64_t i) {
        key.assign("series-0000").back() = static_cast<char>('0' + i % 10);
        value.assign(60 + i % 120, static_cast<char>('a' + i % 26));
        uint64_t series = hash_of(key.data(), key.size()) + hash_of(value.data(), value.size());
        wal.append(key, value);
        table.put(series, value);
        read += table.get(series + 1).size() + table.scan(series) + merge.newest(i);
    });
    return read == 42 && wal.checksum() == 42;
}
