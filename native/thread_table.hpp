// The threads of a process: who is there, how they are called, and their counters.
#pragma once

#include <memory>

#include "probe_reader.hpp"
#include "python_process.hpp"
#include "resources.hpp"

namespace storeprof {

struct ThreadCounters {  // they only grow
    uint64_t run_ns = 0, delay_ns = 0, minflt = 0, majflt = 0, voluntary = 0, involuntary = 0, slices = 0;
    bool operator!=(const ThreadCounters& o) const { return memcmp(this, &o, sizeof o); }  // has no padding
};

struct ThreadRecord {
    ThreadRecord(const ProcDirectory& proc, long tid_, long& budget) : files(proc, tid_, budget), tid(tid_), ns_tid(tid_) {}
    ThreadFiles files;
    long tid, ns_tid;
    uint32_t number = 0, process = 0;
    uint64_t first_ns = 0, looked_ns = 0, status_slices = ~0ull;  // slices when `status` was read
    bool gone = false, listed = true;
    ThreadStat stat;
    std::string name;  // as last written
    ThreadCounters now, written;
    // What the last look found. If it was settled (off the CPU, its stack whole) and the thread has not run since, the
    // next look takes it over.
    bool settled = false, look_had_states = false, in_gil_wait = false;
    uint64_t look_run = 0, look_slices = 0;
    Syscall call;
    uint32_t resource = kNone, stack = kNone;
    StackStatus stack_status = StackStatus::none;
    ProbePosition position;
    ProbeThread probe;
    PythonThread hints[4];
    // Its interpreter states (several with sub-interpreters), for this round only.
    const PythonProcess::ThreadState* states[4] = {};
    int state_count = 0;
};

class ThreadTable {
  public:
    ThreadTable(Tables& out, const ProcDirectory& proc, ProbeReader& probe) : out_(out), proc_(proc), probe_(probe), budget_(descriptor_budget()) {}

    std::vector<std::unique_ptr<ThreadRecord>>& all() { return threads_; }
    size_t size() const { return threads_.size(); }
    ThreadRecord* by_native_id(uint32_t id) const {  // as the program sees it
        auto at = by_ns_tid_.find(id);
        return at == by_ns_tid_.end() ? nullptr : at->second;
    }
    void begin_process(uint32_t process, bool own_namespace) { process_ = process, own_namespace_ = own_namespace, known_ns_ = 0; }

    bool due(long count, uint64_t now) {
        bool changed = count != count_ || some_gone_ || now >= full_scan_ns_;
        if (!changed) known_ns_ = now;
        return changed && pace_.due(now);
    }
    // Lists the threads anew; whether any came or went. Threads by the thousand make it rarer, not dearer.
    bool scan(long count, uint64_t now, double share) {
        bool changed = false;
        pace_.run(0, share, [&] { changed = list(now); });
        count_ = count, some_gone_ = false, full_scan_ns_ = now + kSecond, known_ns_ = now;
        return changed;
    }
    void end_all(uint64_t now) {
        for (auto& t : threads_) end(*t, now);
        threads_.clear(), by_tid_.clear(), by_ns_tid_.clear();
        count_ = -1;
    }
    void write(ThreadRecord& t, uint64_t ended_ns = 0) {
        JsonLine json;
        json.number("thread", t.number).number("process", t.process).number("tid", t.tid).number("ns_tid", t.ns_tid);
        json.number("start_ticks", t.stat.start_ticks).text("name", t.name = t.stat.name).number("t_ns", t.first_ns);
        out_.line(Table::threads, ended_ns ? json.number("ended_ns", ended_ns) : json);
    }

    // ---- counters ----
    bool read_schedstat(ThreadRecord& t) {  // false: gone, or a kernel without scheduler statistics
        char text[128];
        auto result = t.files.read(ThreadFiles::schedstat, text, sizeof text);
        if (result == ThreadFiles::Result::ok) {
            Scanner s(text);
            t.now.run_ns = s.number(), t.now.delay_ns = s.number(), t.now.slices = s.number();
            if (t.now.slices) return true;
        }
        if (read_stat(t, t.stat)) t.now.run_ns = t.stat.cpu_ticks * (kSecond / sysconf(_SC_CLK_TCK));
        return false;
    }
    bool read_stat(ThreadRecord& t, ThreadStat& to) {
        char text[1024];
        auto result = t.files.read(ThreadFiles::stat, text, sizeof text);
        bool read = result == ThreadFiles::Result::ok && parse_stat(text, to);
        if (result == ThreadFiles::Result::gone || (read && to.ended())) t.gone = some_gone_ = true;
        if (read) t.now.minflt = to.minflt, t.now.majflt = to.majflt;
        return read && !t.gone;
    }
    void write_counters(ThreadRecord& t, uint64_t t_ns, bool always) {
        if (!always && !(t.now != t.written)) return;
        auto& n = t.written = t.now;
        out_.row(Table::thread_time, ThreadTimeRow{t.number, 0, t_ns, n.run_ns, n.delay_ns, n.minflt, n.majflt, n.voluntary, n.involuntary, n.slices});
    }
    void write_all_counters(bool always) {
        ThreadStat other;  // what the last look knew stays as it was
        for (auto& t : threads_) {
            if (t->gone) continue;
            uint64_t t_ns = now_ns();
            read_schedstat(*t);
            if (t->now.slices != t->written.slices || t->now.run_ns != t->written.run_ns) read_stat(*t, other);
            write_counters(*t, t_ns, always);
        }
    }
    void read_switches(size_t at_most) {  // from the dear file: a few threads a second, in turn
        for (size_t i = 0; i < threads_.size() && at_most; i++) {
            ThreadRecord& t = *threads_[++turn_ % threads_.size()];
            if (t.status_slices == t.now.slices) continue;
            at_most--, t.status_slices = t.now.slices;
            std::string status = t.files.status();
            value_after(status, "\nvoluntary_ctxt_switches:", t.now.voluntary);
            value_after(status, "\nnonvoluntary_ctxt_switches:", t.now.involuntary);
        }
    }

  private:
    bool list(uint64_t now) {
        size_t kept = 0, before = next_number_;
        for (auto& t : threads_) t->listed = false;
        for (long tid : proc_.numbered_entries("task")) {
            auto known = by_tid_.find(tid);
            if (known != by_tid_.end() && !known->second->gone) known->second->listed = true;
            else add(tid, now);
        }
        for (auto& t : threads_) {
            if (t->listed && !t->gone) threads_[kept++].swap(t);
            else end(*t, now);
        }
        bool changed = kept != threads_.size() || before != next_number_;
        threads_.resize(kept);
        return changed;
    }
    void add(long tid, uint64_t now) {
        auto t = std::make_unique<ThreadRecord>(proc_, tid, budget_);
        char text[1024];
        if (t->files.read(ThreadFiles::stat, text, sizeof text) != ThreadFiles::Result::ok) return;
        if (!parse_stat(text, t->stat, true) || t->stat.ended()) return;
        t->number = next_number_++, t->process = process_, t->first_ns = now;
        // There at this round and not at the one before: its first look stands for the time between them.
        t->looked_ns = known_ns_ ? known_ns_ : now;
        if (!own_namespace_) t->ns_tid = inner_tid(t->files.status(), tid);
        read_schedstat(*t);
        t->now.minflt = t->stat.minflt, t->now.majflt = t->stat.majflt;
        write(*t);
        write_counters(*t, now, true);
        by_tid_[tid] = by_ns_tid_[static_cast<uint32_t>(t->ns_tid)] = t.get();
        threads_.push_back(std::move(t));
    }
    void end(ThreadRecord& t, uint64_t now) {
        write_counters(t, std::max(t.looked_ns, t.first_ns), false);
        probe_.end_thread(t.probe, t.number, now);
        write(t, now);
        forget(by_tid_, t.tid, t), forget(by_ns_tid_, static_cast<uint32_t>(t.ns_tid), t);
    }
    template <class Map, class Key> static void forget(Map& map, Key key, ThreadRecord& t) {  // unless taken by another
        auto at = map.find(key);
        if (at != map.end() && at->second == &t) map.erase(at);
    }

    Tables& out_;
    const ProcDirectory& proc_;
    ProbeReader& probe_;
    long budget_, count_ = -1;  // descriptors left; threads at the last scan
    Pace pace_;
    uint64_t full_scan_ns_ = 0, known_ns_ = 0;  // until when the list is known to be whole
    uint32_t process_ = 0, next_number_ = 0;
    bool own_namespace_ = true, some_gone_ = false;
    size_t turn_ = 0;
    std::vector<std::unique_ptr<ThreadRecord>> threads_;
    std::unordered_map<long, ThreadRecord*> by_tid_;
    std::unordered_map<uint32_t, ThreadRecord*> by_ns_tid_;
};

}  // namespace storeprof
