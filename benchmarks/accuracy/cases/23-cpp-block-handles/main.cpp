// A background thread compacts: it reads blocks, merges them into one, and forgets to delete one of its inputs.
#include <atomic>
#include <thread>

#include "memory_store.hpp"

namespace {

struct Block {
    explicit Block(size_t size) : size(size), data(new char[size]) {}
    ~Block() { delete[] data; }
    size_t size;
    char* data;
};

class Compactor {
  public:
    NOINLINE Block* load(uint64_t number) {
        auto* block = new Block(4096);
        for (size_t i = 0; i < block->size; i += 64) std::memcpy(block->data + i, &number, sizeof number);
        return block;
    }
    NOINLINE uint64_t compact() {
        Block *older = load(++number_), *newer = load(++number_);
        uint64_t sum = 0;
        for (size_t i = 0; i < older->size; i += 8) sum += static_cast<uint8_t>(older->data[i]) ^ static_cast<uint8_t>(newer->data[i]);
        delete newer;
        if (!plant) delete older;
        return sum;
    }

  private:
    uint64_t number_ = 0;
};

}  // namespace

int main() {
    static Store store;
    const Workload workload;
    std::atomic<bool> ended{false};
    std::atomic<uint64_t> sum{0};
    std::thread background([&] {
        Compactor compactor;
        Pace pace(730);
        while (!ended) {
            if (pace.due()) sum += compactor.compact();
            else std::this_thread::sleep_for(std::chrono::microseconds(400));
        }
    });
    uint64_t read = 0;
    drive([&](uint64_t i) {
        store.put(workload.key(i), workload.value(i));
        read += store.get(workload.key(i * 13)) + store.scan(i);
    });
    ended = true;
    background.join();
    return read == 42 && store.checksum() == 42;
}
