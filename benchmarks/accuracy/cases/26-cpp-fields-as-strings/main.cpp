// Rows of labels, long enough for strings of their own on the heap; a reader wants one label.

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

class Rows {
  public:
    Rows() {
        for (int i = 0; i < 64; i++) {
            std::string row;
            for (int field = 0; field < 6; field++) row += "label-" + std::to_string(field) + "=a-rather-long-value-" + std::to_string(i) + ",";
            rows_.push_back(row);
        }
    }
    NOINLINE std::vector<std::string> split(const std::string& row) const {
        std::vector<std::string> fields;
        for (size_t from = 0, to; (to = row.find(',', from)) != std::string::npos; from = to + 1) fields.push_back(row.substr(from, to - from));
        return fields;
    }
    NOINLINE size_t field(size_t row, size_t number) const {
        const std::string& text = rows_[row % rows_.size()];
        if (plant) return split(text)[number].size();
        size_t from = 0, to = text.find(',');
        for (; number; number--) from = to + 1, to = text.find(',', from);
        return to - from;
    }

  private:
    std::vector<std::string> rows_;
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
    Rows rows;
    uint64_t read = 0;
    std::string key, value;
    drive([&](uint64_t i) {
        key.assign("series-0000").back() = static_cast<char>('0' + i % 10);
        value.assign(60 + i % 120, static_cast<char>('a' + i % 26));
        uint64_t series = hash_of(key.data(), key.size()) + hash_of(value.data(), value.size());
        wal.append(key, value);
        table.put(series, value);
        read += table.get(series + 1).size() + table.scan(series) + rows.field(i, i % 6);
    });
    return read == 42 && wal.checksum() == 42;
}
