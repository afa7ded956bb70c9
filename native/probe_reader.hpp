// What the probe's shared memory says at a look: where threads are, and the operations that finished. Totals by scope and
// by memory tag are read once a second, by Python (storeprof.observe.probe_totals), through the descriptor found here.
#pragma once
#include <sys/mman.h>
#include <memory>
#include <random>
#define STOREPROF_LAYOUT_ONLY
#include <storeprof/profile.hpp>
#include "proc_reader.hpp"
#include "target_memory.hpp"
namespace storeprof {
template <class T> T load(const T& from) { return __atomic_load_n(&from, __ATOMIC_ACQUIRE); }
// The mapping; only what is allocated is ever touched, so it can't raise SIGBUS, and it outlives the program.
class ProbeMapping {
  public:
    ProbeMapping(FileDescriptor fd, uint64_t bytes) : fd_(std::move(fd)), bytes_(bytes) {
        void* at = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd_.get(), 0);
        base_ = at == MAP_FAILED ? nullptr : static_cast<const uint8_t*>(at);
        refresh();
    }
    ProbeMapping(const ProbeMapping&) = delete;
    ~ProbeMapping() { if (base_) munmap(const_cast<uint8_t*>(base_), bytes_); }
    const Header* header() const { return readable_ ? reinterpret_cast<const Header*>(base_) : nullptr; }
    template <class T> const T* at(uint32_t line) {  // null outside what is allocated
        auto* record = base_ + uint64_t{line} * 64;
        return line >= 64 && holds(record, sizeof(T)) ? reinterpret_cast<const T*>(record) : nullptr;
    }
    int descriptor() const { return fd_.get(); }
  private:
    bool holds(const void* from, uint64_t size) {
        uint64_t end = static_cast<const uint8_t*>(from) - base_ + size;
        if (end > readable_) refresh();
        return end <= readable_;
    }
    void refresh() {
        struct stat s;
        readable_ = base_ && !fstat(fd_.get(), &s) ? std::min<uint64_t>(s.st_size, bytes_) : 0;
        if (readable_ < 4096) readable_ = 0;
        else readable_ = std::clamp<uint64_t>(load(header()->used_bytes), 4096, readable_);
    }
    FileDescriptor fd_;
    const uint64_t bytes_;
    const uint8_t* base_;
    uint64_t readable_ = 0;
};
struct ProbePosition { uint32_t node_line = 0, op_seq = 0; };
struct ProbeThread {  // what the observer remembers of a thread's block
    const Block* block = nullptr;
    uint32_t generation = 0, wanted_op = 0;  // wanted_op: seen under way, to be found in the ring once finished
    uint64_t sampled_at = 0;                 // operations finished when the last uniform sample was taken
};
struct ProbeStats {
    bool attached = false;
    std::string why = "no probe seen";
    uint64_t dropped_scopes = 0, lost_operations = 0;
};
class ProbeReader {
  public:
    using Found = std::vector<std::pair<uint32_t, FileDescriptor>>;  // process number, its memory
    ProbeReader(Tables& out, const ProcDirectory& proc) : out_(out), proc_(proc) {}
    bool attached() const { return mapping_ != nullptr; }
    ProbeStats stats() {
        if (mapping_) stats_.dropped_scopes = load(mapping_->header()->dropped_scopes);
        return stats_;
    }
    void scan(uint32_t process, long pid) {
        for (long fd : proc_.numbered_entries("fd")) {
            std::string name = "fd/" + std::to_string(fd);
            if (!starts_with(proc_.link(name), "/memfd:storeprof-probe")) continue;
            stats_.why = try_to_map(name, pid);
            if (!stats_.why.empty()) continue;
            stats_.attached = true;
            std::lock_guard<std::mutex> hold(found_mutex_);
            FileDescriptor copy(fcntl(mapping_->descriptor(), F_DUPFD_CLOEXEC, 3));
            if (copy.get() >= 0) found_.emplace_back(process, std::move(copy));
            return;
        }
    }
    void detach() {
        mapping_.reset();
        stats_ = {};
        by_tid_.clear();
    }
    Found take_found() {  // those since the last call; a descriptor keeps the memory of a program that is gone
        std::lock_guard<std::mutex> hold(found_mutex_);
        return std::exchange(found_, {});
    }
    // ---- looks ----
    ProbePosition position(ProbeThread& t, long tid, uint64_t round_ns) {
        if (!mapping_ || !find_block(t, tid, round_ns)) return {};
        uint64_t position = load(t.block->position);
        return {static_cast<uint32_t>(position >> 32), static_cast<uint32_t>(position)};
    }
    void look_at_operations(ProbeThread& t, uint32_t op_seq, uint32_t thread, uint64_t now) {  // 0: none is under way
        if (!mapping_ || !t.block) return;
        if (t.wanted_op && t.wanted_op != op_seq) write_hit(t, thread, now);
        t.wanted_op = op_seq;
        sample_operations(t, thread, now);
    }
  private:
    static constexpr size_t kMaxBlocks = 1 << 20;
    std::string try_to_map(const std::string& name, long pid) {
        FileDescriptor fd = proc_.open_file(name);
        Header h;
        if (pread(fd.get(), &h, sizeof h, 0) != sizeof h || memcmp(h.magic, "STORPRF", 8)) return "its memory is not written yet";
        if (h.version != 3 || h.header_bytes != 4096)
            return "the probe has format version " + std::to_string(h.version) + "; this storeprof reads version 3";
        if (h.pid != pid) return "the probe's memory belongs to another process";
        auto mapping = std::make_unique<ProbeMapping>(std::move(fd), std::min<uint64_t>(h.reserve_bytes, 4ull << 30));
        if (!mapping->header()) return "its memory can't be mapped";
        mapping_ = std::move(mapping);
        return "";
    }
    bool find_block(ProbeThread& t, long tid, uint64_t round_ns) {
        if (t.block && load(t.block->tid) == tid && load(t.block->generation) == t.generation) return true;
        if (round_ns != indexed_ns_) {  // at most once a round, however many threads have no block
            indexed_ns_ = round_ns;
            by_tid_.clear();
            const Block* block = mapping_->at<Block>(load(mapping_->header()->first_thread));
            for (size_t i = 0; block && i < kMaxBlocks; i++, block = mapping_->at<Block>(load(block->next)))
                by_tid_[load(block->tid)] = block;
        }
        auto found = by_tid_.find(static_cast<uint32_t>(tid));
        if (found == by_tid_.end() || load(found->second->tid) != tid) return t.block = nullptr, false;
        t = {found->second, load(found->second->generation), 0, load(found->second->ops_finished)};
        return true;
    }
    void write_hit(ProbeThread& t, uint32_t thread, uint64_t now) {
        uint64_t end = load(t.block->ops_finished), low = end > 1023 ? end - 1023 : 0, high = end;
        while (low < high) {  // operations finish in the order they began, all but those around a driver
            uint64_t middle = low + (high - low) / 2;
            if (int32_t(t.block->ring[middle % 1024].op_seq - t.wanted_op) < 0) low = middle + 1;
            else high = middle;
        }
        RingEntry found = t.block->ring[low % 1024];
        bool whole = low < end && found.op_seq == t.wanted_op && load(t.block->ops_finished) < low + 1024;
        if (whole) write_operation(found, thread, 1, 0, now);
        else stats_.lost_operations++;
    }
    // One of those finished since the last sample, all with the same chance. The newest alone would do as well, were the
    // moments of looking not tied to blocking.
    void sample_operations(ProbeThread& t, uint32_t thread, uint64_t now) {
        uint64_t end = load(t.block->ops_finished), finished = end - t.sampled_at;
        if (!finished || end < t.sampled_at) return;
        uint64_t pick = end - 1 - random_() % std::min<uint64_t>(finished, 512);
        RingEntry found = t.block->ring[pick % 1024];
        if (load(t.block->ops_finished) >= pick + 1024) return;  // overwritten meanwhile: the next sample stands for it
        t.sampled_at = end;
        write_operation(found, thread, 0, finished * 1000, now);
    }
    void write_operation(const RingEntry& op, uint32_t thread, uint32_t hit, uint64_t weight_x1000, uint64_t now) {
        out_.row<48>(Table::operations, thread, op.op_seq, op.node_line, hit, op.start_ticks, op.duration_ticks, weight_x1000, now);
    }
    Tables& out_;
    const ProcDirectory& proc_;
    std::unique_ptr<ProbeMapping> mapping_;
    std::unordered_map<uint32_t, const Block*> by_tid_;
    uint64_t indexed_ns_ = 0;  // the round in which by_tid_ was made
    std::minstd_rand random_{20011};
    ProbeStats stats_;
    std::mutex found_mutex_;  // guards what follows: Python's threads use it too
    Found found_;
};
}  // namespace storeprof
