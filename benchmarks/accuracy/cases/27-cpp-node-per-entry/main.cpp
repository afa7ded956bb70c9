// Readers merge the newest entries of three runs, oldest first, through a list of heap nodes.
#include <thread>

#include "memory_store.hpp"

namespace {

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

}  // namespace

int main() {
    static Store store;
    const Workload workload;
    Merge merge;
    uint64_t read = 0;
    drive([&](uint64_t i) {
        store.put(workload.key(i), workload.value(i));
        read += store.get(workload.key(i * 13)) + store.scan(i) + merge.newest(i);
    });
    return read == 42 && store.checksum() == 42;
}
