// The records of the probe's shared memory (docs/formats/shared-memory.md), and its mapping.
#pragma once

#include <sys/mman.h>

#include "proc_reader.hpp"

namespace storeprof {

struct ProbeHeader {
    char magic[8];
    uint32_t version, header_bytes;
    uint8_t uuid[16];
    uint32_t pid, clock;
    uint64_t start_time, gate_address, used_bytes, reserve_bytes;
    uint32_t first_thread, first_name;
    uint64_t dropped_scopes, anchor_ticks, anchor_monotonic_ns, anchor_realtime_ns, floor_ticks_x1000;
};
struct ProbeName { uint32_t next, name_id; uint16_t name_length, file_length; uint32_t line; };
struct ProbeOperation { uint32_t op_seq, node_line; uint64_t start_ticks, duration_ticks; };
struct ProbeBlock {
    uint32_t next, tid;
    uint64_t taken_ticks;
    uint32_t generation, reserved;
    uint64_t position, ops_finished;
    uint32_t first_node, first_tag;
    uint64_t reserved1[10];
    ProbeOperation ring[1024];
    uint8_t reserved2[448];
};
struct ProbeNode {
    uint32_t parent, name_id, next, flags;
    uint64_t count, total, self, min, max;
    double sum_squares;
    uint32_t histogram[720];
};
struct ProbeTag {
    uint32_t next, name_id;
    uint64_t allocations, allocated_bytes, frees, freed_bytes, peak_live_bytes, reserved[2];
};
static_assert(sizeof(ProbeBlock) == 25152 && sizeof(ProbeNode) == 2944 && sizeof(ProbeTag) == 64 && sizeof(ProbeName) == 16);

template <class T> T load(const T& from) { return __atomic_load_n(&from, __ATOMIC_ACQUIRE); }

// The mapping; only what is allocated is ever touched, so it can't raise SIGBUS, and it outlives the program.
class ProbeMapping {
  public:
    ProbeMapping(FileDescriptor fd, uint64_t bytes) : fd_(std::move(fd)), bytes_(bytes) {
        void* at = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd_.get(), 0);
        if (at != MAP_FAILED) base_ = static_cast<const uint8_t*>(at);
        refresh();
    }
    ProbeMapping(const ProbeMapping&) = delete;
    ~ProbeMapping() { if (base_) munmap(const_cast<uint8_t*>(base_), bytes_); }
    const ProbeHeader* header() const { return readable_ ? reinterpret_cast<const ProbeHeader*>(base_) : nullptr; }
    template <class T> const T* at(uint32_t line) {  // null outside what is allocated
        auto* record = base_ + uint64_t{line} * 64;
        return line >= 64 && holds(record, sizeof(T)) ? reinterpret_cast<const T*>(record) : nullptr;
    }
    bool holds(const void* from, uint64_t size) {
        uint64_t end = static_cast<const uint8_t*>(from) - base_ + size;
        if (end > readable_) refresh();
        return end <= readable_;
    }
    void refresh() {
        struct stat s;
        uint64_t size = base_ && !fstat(fd_.get(), &s) ? std::min<uint64_t>(s.st_size, bytes_) : 0;
        readable_ = size < 4096 ? 0 : size;
        if (readable_) readable_ = std::min(readable_, std::max<uint64_t>(4096, load(header()->used_bytes)));
    }

  private:
    FileDescriptor fd_;
    const uint64_t bytes_;
    const uint8_t* base_ = nullptr;
    uint64_t readable_ = 0;
};

}  // namespace storeprof
