// What the probe's shared memory says: where threads are, operations, and totals by scope and by memory tag.
#pragma once

#include <sys/mman.h>

#include <map>
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

  private:
    FileDescriptor fd_;
    const uint64_t bytes_;
    const uint8_t* base_;
    uint64_t readable_ = 0;
};

struct ProbePosition { uint32_t node = 0, op_seq = 0; };
struct ProbeThread {  // what the observer remembers of a thread's block
    const Block* block = nullptr;
    uint32_t generation = 0, wanted_op = 0;  // wanted_op: seen under way, to be found in the ring once finished
    uint64_t sampled_at = 0;                 // operations finished when the last uniform sample was taken
};
struct ProbeStats {
    bool attached = false, gate_changed = false;
    std::string why = "no probe seen";
    uint64_t nodes = 0, dropped_scopes = 0, lost_operations = 0;
};

class ProbeReader {
  public:
    ProbeReader(Tables& out, TickClock& ticks, const TargetMemory& memory, const ProcDirectory& proc)
        : out_(out), ticks_(ticks), memory_(memory), proc_(proc) {}
    bool attached() const { return mapping_ != nullptr; }
    ProbeStats stats() {
        std::lock_guard<std::mutex> hold(gate_mutex_);
        stats_.gate_changed = gate_changed_;
        return stats_;
    }
    void scan(uint32_t process, long pid, uint64_t start_ticks) {
        for (long fd : proc_.numbered_entries("fd")) {
            std::string name = "fd/" + std::to_string(fd);
            if (!starts_with(proc_.link(name), "/memfd:storeprof-probe")) continue;
            stats_.why = try_to_map(name, pid, start_ticks);
            if (!stats_.why.empty()) continue;
            process_ = process, stats_.attached = true;
            auto* h = mapping_->header();
            out_.row<32>(Table::anchors, ticks_.take_anchor());
            if (h->clock == 1) ticks_.begin(h->anchor_ticks, h->anchor_monotonic_ns);
            std::lock_guard<std::mutex> hold(gate_mutex_);
            gate_address_ = h->gate_address;
            if (gate_wanted_) write_gate(1);  // it is off when the program was not started for recording
            return;
        }
    }
    void detach() {
        std::lock_guard<std::mutex> hold(gate_mutex_);
        mapping_.reset();
        gate_address_ = 0, gate_changed_ = false, stats_ = {};
        by_tid_.clear(), nodes_.clear(), merged_.clear(), names_.clear(), tags_.clear();
    }
    void describe(JsonLine& json) const {
        auto* h = mapping_ && (ticks_.known() || mapping_->header()->clock == 2) ? mapping_->header() : nullptr;
        double floor_ns = h ? double(h->floor_ticks_x1000) * ns_per_tick() / 1000 : 0;
        h ? json.add("ticks_per_s", std::round(1e4 / ns_per_tick()) * 1e5) : json.add("ticks_per_s", nullptr);  // rounded: said once
        floor_ns > 0 ? json.add("probe_floor_ns", std::round(floor_ns * 10) / 10) : json.add("probe_floor_ns", nullptr);
    }

    // ---- the gate ----
    bool set_gate(bool on) {
        std::lock_guard<std::mutex> hold(gate_mutex_);
        gate_wanted_ = on;
        return write_gate(on);
    }
    void restore_gate() {
        std::lock_guard<std::mutex> hold(gate_mutex_);
        if (gate_changed_) write_gate(0);
    }

    // ---- looks ----
    ProbePosition position(ProbeThread& t, long tid, uint64_t round_ns) {
        if (!mapping_ || !find_block(t, tid, round_ns)) return {};
        uint64_t position = load(t.block->position);
        return {node(static_cast<uint32_t>(position >> 32)), static_cast<uint32_t>(position)};
    }
    void look_at_operations(ProbeThread& t, uint32_t op_seq, uint32_t thread, uint64_t now) {  // 0: none is under way
        if (!mapping_ || !t.block) return;
        if (t.wanted_op && t.wanted_op != op_seq) write_hit(t, thread, now);
        t.wanted_op = op_seq;
        sample_operations(t, thread, now);
    }

    // ---- totals ----
    void each_second(uint64_t now) {
        if (!mapping_) return;
        mapping_->refresh();
        stats_.dropped_scopes = load(mapping_->header()->dropped_scopes);
        find_nodes();
        write_nodes(now);
        write_tags(now);
        stats_.nodes = merged_.size();
    }

  private:
    struct Merged { uint32_t number = 0; std::vector<const Node*> parts; Node written{}; };  // over all blocks
    struct Name { std::string name, file; uint32_t line = 0; };
    struct Tag { uint32_t number; TagRecord sum; };
    static constexpr int kMaxDepth = 300, kMaxRecords = 1 << 20;
    double ns_per_tick() const { return mapping_ && mapping_->header()->clock == 2 ? 1.0 : ticks_.ns_per_tick(); }
    uint64_t ns(uint64_t ticks) const { return static_cast<uint64_t>(double(ticks) * ns_per_tick()); }
    std::string try_to_map(const std::string& name, long pid, uint64_t start_ticks) {
        static const uint8_t no_uuid[16] = {};
        FileDescriptor fd = proc_.open_file(name);
        Header h;
        if (pread(fd.get(), &h, sizeof h, 0) != sizeof h || memcmp(h.magic, "STORPRF", 8)) return "its memory is not written yet";
        if (h.version != 1 || h.header_bytes != 4096)
            return "the probe has format version " + std::to_string(h.version) + "; this storeprof reads version 1";
        if (!memcmp(h.uuid, no_uuid, 16) || (h.clock != 1 && h.clock != 2)) return "its memory is not written yet";
        if (h.pid != pid || (h.start_time && h.start_time != start_ticks)) return "the probe's memory belongs to another process";
        auto mapping = std::make_unique<ProbeMapping>(std::move(fd), std::min<uint64_t>(h.reserve_bytes, 4ull << 30));
        if (!mapping->header()) return "its memory can't be mapped";
        mapping_ = std::move(mapping);
        return "";
    }
    // The address comes from the program: it is written only where a gate (0 or 1) already stands.
    bool write_gate(uint32_t on) {
        uint32_t now;
        if (!gate_address_ || gate_address_ % 4 || !memory_.get(gate_address_, now) || now > 1) return false;
        if (now == on) return true;
        if (!memory_.write_u32(gate_address_, on)) return false;
        gate_changed_ = on;
        return true;
    }
    bool find_block(ProbeThread& t, long tid, uint64_t round_ns) {
        if (t.block && load(t.block->tid) == tid && load(t.block->generation) == t.generation) return true;
        if (round_ns != indexed_ns_) {  // at most once a round, however many threads have no block
            indexed_ns_ = round_ns;
            by_tid_.clear();
            each_block([&](const Block& block) { by_tid_[load(block.tid)] = &block; });
        }
        auto found = by_tid_.find(static_cast<uint32_t>(tid));
        if (found == by_tid_.end() || load(found->second->tid) != tid) return t.block = nullptr, false;
        t = {found->second, load(found->second->generation), 0, load(found->second->ops_finished)};
        return true;
    }
    // Records linked by `next`, newest first, until `visit` says no.
    template <class Record, class Visit> void each(uint32_t line, Visit&& visit) {
        for (int i = 0; line && i < kMaxRecords; i++) {
            auto* record = mapping_->at<Record>(line);
            if (!record || !visit(*record)) return;
            line = load(record->next);
        }
    }
    template <class Visit> void each_block(Visit&& visit) {
        each<Block>(load(mapping_->header()->first_thread), [&](const Block& block) { return visit(block), true; });
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
        uint64_t start = mapping_->header()->clock == 2 ? op.start_ticks : ticks_.to_monotonic(op.start_ticks);
        out_.row<48>(Table::operations, thread, op.op_seq, node(op.node_line), hit, start, ns(op.duration_ticks), weight_x1000, now);
    }
    // ---- names and nodes ----
    const Name& name(uint32_t id) {
        auto at = names_.find(id);
        if (at == names_.end()) {
            list_names();
            at = names_.try_emplace(id, Name{"?", "", 0}).first;
        }
        return at->second;
    }
    void list_names() {  // those made since: the list begins with the newest
        uint32_t line = load(mapping_->header()->first_name);
        each<NameRecord>(line, [&](const NameRecord& r) {
            auto *name = reinterpret_cast<const char*>(&r + 1), *file = name + r.name_length;
            if (!mapping_->holds(file, r.file_length)) return false;
            return names_.try_emplace(r.name_id, Name{{name, r.name_length}, {file, r.file_length}, r.line}).second;
        });
    }
    uint32_t node(uint32_t line, int depth = 0) {  // its number in the process-wide tree, 0 when there is no such record
        auto known = nodes_.find(line);
        if (known != nodes_.end()) return known->second;
        auto* record = mapping_->at<Node>(line);
        if (!record || depth > kMaxDepth) return 0;
        uint32_t above = node(record->parent, depth + 1);
        Merged& into = merged_[{above, record->name_id}];
        if (!into.number) {
            into.number = ++last_node_;
            const Name& n = name(record->name_id);
            out_.line(Table::scope_nodes, "node", into.number, "process", process_, "parent", above, "name", n.name, "file", n.file,
                      "line", n.line);
        }
        into.parts.push_back(record);
        return nodes_[line] = into.number;
    }
    void find_nodes() {  // those made since
        each_block([&](const Block& block) {
            uint32_t line = load(block.first_node);
            each<Node>(line, [&](const Node& n) {
                bool added = !nodes_.count(line) && node(line);
                line = n.next;
                return added;
            });
        });
    }
    void write_nodes(uint64_t now) {
        double per_tick = ns_per_tick();
        for (auto& [key, m] : merged_) {
            Node sum{}, &old = m.written;
            sum.min_ticks = ~0ull;
            for (const Node* from : m.parts) {
                const Node part = *from;  // copied by whole words: no counter is half written
                sum.count += part.count, sum.sum_squares += part.sum_squares, sum.flags |= part.flags;
                sum.total_ticks += part.total_ticks, sum.self_ticks += part.self_ticks;
                sum.min_ticks = std::min(sum.min_ticks, part.min_ticks);
                sum.max_ticks = std::max(sum.max_ticks, part.max_ticks);
                for (int b = 0; b < 720; b++) sum.histogram[b] += part.histogram[b];
            }
            if (sum.count == old.count && sum.flags == old.flags) continue;
            for (uint16_t b = 0; b < 720; b++)
                for (uint32_t more = sum.histogram[b] - old.histogram[b], part; more; more -= part) {
                    part = std::min(more, 65535u);
                    out_.row<16>(Table::scope_histograms, now, m.number, b, static_cast<uint16_t>(part));
                }
            out_.row<80>(Table::scope_counts, now, process_, m.number, uint64_t{sum.flags}, sum.count, ns(sum.total_ticks), ns(sum.self_ticks),
                         sum.count ? ns(sum.min_ticks) : ~0ull, ns(sum.max_ticks), sum.sum_squares * per_tick * per_tick, uint64_t{0});
            old = sum;
        }
    }
    void write_tags(uint64_t now) {
        std::map<uint32_t, TagRecord> sums;
        each_block([&](const Block& block) {
            each<TagRecord>(load(block.first_tag), [&](const TagRecord& t) {
                TagRecord& sum = sums[t.name_id];
                sum.allocations += load(t.allocations), sum.allocated_bytes += load(t.allocated_bytes);
                sum.frees += load(t.frees), sum.freed_bytes += load(t.freed_bytes);
                return true;
            });
        });
        for (auto& [id, s] : sums) {
            auto [at, added] = tags_.try_emplace(id, Tag{last_tag_, {}});
            Tag& tag = at->second;
            if (added) out_.line(Table::scope_nodes, "tag", last_tag_++, "process", process_, "name", name(id).name);
            if (!added && tag.sum.allocations == s.allocations && tag.sum.frees == s.frees) continue;
            tag.sum = s;
            out_.row<64>(Table::memory_tags, now, process_, tag.number, s.allocations, s.allocated_bytes, s.frees, s.freed_bytes,
                         s.allocated_bytes - s.freed_bytes, uint64_t{0});
        }
    }
    Tables& out_;
    TickClock& ticks_;
    const TargetMemory& memory_;
    const ProcDirectory& proc_;
    std::unique_ptr<ProbeMapping> mapping_;
    uint32_t process_ = 0, last_node_ = 0, last_tag_ = 0;
    std::unordered_map<uint32_t, const Block*> by_tid_;
    uint64_t indexed_ns_ = 0;  // the round in which by_tid_ was made
    std::unordered_map<uint32_t, uint32_t> nodes_;            // line -> number
    std::map<std::pair<uint32_t, uint32_t>, Merged> merged_;  // by (parent's number, name)
    std::unordered_map<uint32_t, Name> names_;
    std::unordered_map<uint32_t, Tag> tags_;  // by name
    std::minstd_rand random_{20011};
    ProbeStats stats_;
    std::mutex gate_mutex_;  // guards the gate: Python's threads set it too
    Address gate_address_ = 0;
    bool gate_wanted_ = true, gate_changed_ = false;
};

}  // namespace storeprof
