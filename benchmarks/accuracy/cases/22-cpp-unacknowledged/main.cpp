// Batches are kept until the follower acknowledges them; its acknowledgement names the wrong number.

#include "memory_store.hpp"

namespace {

class Replicator {
  public:
    NOINLINE void send(const std::string& key, const std::string& value) {
        unacknowledged_[++sent_] = batch_of(key, value);
        if (sent_ > 16) acknowledge(plant ? (sent_ - 16) << 32 : sent_ - 16);
    }
    NOINLINE void acknowledge(uint64_t number) { unacknowledged_.erase(number); }

  private:
    NOINLINE std::string batch_of(const std::string& key, const std::string& value) const {
        std::string batch;
        batch.reserve(1000);
        while (batch.size() + key.size() + value.size() < 1000) batch.append(key).append(value);
        return batch;
    }
    std::unordered_map<uint64_t, std::string> unacknowledged_;
    uint64_t sent_ = 0;
};

}  // namespace

int main() {
    static Store store;
    const Workload workload;
    Replicator replicator;
    Pace pace(1900);
    uint64_t read = 0;
    drive([&](uint64_t i) {
        store.put(workload.key(i), workload.value(i));
        read += store.get(workload.key(i * 13)) + store.scan(i);
        if (pace.due()) replicator.send(workload.key(i), workload.value(i));
    });
    return read == 42 && store.checksum() == 42;
}
