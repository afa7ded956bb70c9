// Rows of labels, long enough for strings of their own on the heap; a reader wants one label.

#include "memory_store.hpp"

namespace {

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

}  // namespace

int main() {
    static Store store;
    const Workload workload;
    Rows rows;
    uint64_t read = 0;
    drive([&](uint64_t i) {
        store.put(workload.key(i), workload.value(i));
        read += store.get(workload.key(i * 13)) + store.scan(i) + rows.field(i, i % 6);
    });
    return read == 42 && store.checksum() == 42;
}
