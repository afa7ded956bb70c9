// The threads of a process: who is there, how they are called, and their counters.
#pragma once
#include "probe_reader.hpp"
#include "python_process.hpp"
namespace storeprof {
struct ThreadCounters {  // they only grow
    uint64_t run_ns = 0, delay_ns = 0, minflt = 0, majflt = 0, voluntary = 0, involuntary = 0, slices = 0;
    bool operator!=(const ThreadCounters& o) const { return memcmp(this, &o, sizeof o); }  // has no padding
};
struct ThreadRecord {
    ThreadRecord(const ProcDirectory& proc, long tid_, bool keep) : files(proc, tid_, keep), tid(tid_), ns_tid(tid_) {}
    ThreadFiles files;
    long tid, ns_tid;
    uint32_t number = 0, process = 0;
    uint64_t first_ns = 0, looked_ns = 0, status_slices = ~0ull;  // slices when `status` was read
    bool gone = false;
    ThreadStat stat;
    std::string name;  // as last written
    ThreadCounters now, written;
    // What the last look found. If it was settled (off the CPU, its stack whole) and the thread has not run since, the
    // next look takes it over.
    LookRow look{};
    bool settled = false, look_had_python = false, in_gil_wait = false;
    uint64_t look_run = 0, look_slices = 0, look_minflt = 0, ran_lately_ns = 0;
    ProbeThread probe;
    PythonThread hints;
    const PythonProcess::ThreadState* python = nullptr;  // for this round only
};
class ThreadTable {
  public:
    ThreadTable(Tables& out, const ProcDirectory& proc, ProbeReader& probe) : out_(out), proc_(proc), probe_(probe) {}
    std::vector<std::unique_ptr<ThreadRecord>>& all() { return threads_; }
    size_t size() const { return threads_.size(); }
    size_t busy() const { return std::min(busy_, size()); }  // the first of all that ran a tenth of the time lately
    ThreadRecord* by_native_id(uint32_t id) const {  // as the program sees it
        auto at = by_ns_tid_.find(id);
        return at == by_ns_tid_.end() ? nullptr : at->second;
    }
    void begin_process(uint32_t process, uint64_t now) {
        list({}, now);
        process_ = process, count_ = -1;
        pace_.restart();
    }
    void end_all(uint64_t now) { list({}, now); }
    // Lists the threads anew when their count changed or one was found gone, and once a second; whether any came or went.
    // Threads by the thousand make it rarer, not dearer.
    bool scan(long count, uint64_t now, double share) {
        bool changed = false, wanted = count != count_ || some_gone_ || now >= full_scan_ns_;
        if (wanted && !pace_.due(now)) return false;
        if (wanted) {
            pace_.run(0, share, [&] { changed = list(proc_.numbered_entries("task"), now); });
            count_ = count, some_gone_ = false, full_scan_ns_ = now + kSecond;
        }
        known_ns_ = now;
        return changed;
    }
    void write(ThreadRecord& t, uint64_t ended_ns = 0) {
        JsonLine json("thread", t.number, "process", t.process, "tid", t.tid, "ns_tid", t.ns_tid, "start_ticks",
                      t.stat.start_ticks, "name", t.name = t.stat.name, "t_ns", t.first_ns);
        if (ended_ns) json.add("ended_ns", ended_ns);
        out_.line(Table::threads, json);
    }
    // ---- counters ----
    bool read_schedstat(ThreadRecord& t) {  // false: gone, or a kernel without scheduler statistics
        char text[128];
        if (t.files.read(ThreadFiles::schedstat, text) == ThreadFiles::Result::ok) {
            Scanner s{text};
            t.now.run_ns = s.number();
            t.now.delay_ns = s.number();
            t.now.slices = s.number();
            if (t.now.slices) return true;
        }
        if (read_stat(t, t.stat)) t.now.run_ns = t.stat.cpu_ticks * (kSecond / sysconf(_SC_CLK_TCK));
        return false;
    }
    bool read_stat(ThreadRecord& t, ThreadStat& to) {
        char text[1024];
        auto result = t.files.read(ThreadFiles::stat, text);
        bool read = result == ThreadFiles::Result::ok && to.parse(text);
        if (result == ThreadFiles::Result::gone || (read && to.ended())) t.gone = some_gone_ = true;
        if (read) t.now.minflt = to.minflt, t.now.majflt = to.majflt;
        return read && !t.gone;
    }
    void write_all_counters(bool always) {
        ThreadStat other;  // what the last look knew stays as it was
        for (auto& t : threads_) {
            if (t->gone) continue;
            uint64_t t_ns = now_ns();
            read_schedstat(*t);
            t->ran_lately_ns = t->ran_lately_ns * 4 / 5 + t->now.run_ns - t->written.run_ns;
            if (t->now.slices != t->written.slices || t->now.run_ns != t->written.run_ns) read_stat(*t, other);
            write_counters(*t, t_ns, always);
        }
        auto ran = [](auto& t) { return t->ran_lately_ns > kSecond / 8; };
        busy_ = size_t(std::partition(threads_.begin(), threads_.end(), ran) - threads_.begin());
    }
    void read_switches(size_t at_most) {  // from the dear file: a few threads a second, in turn
        for (size_t i = 0; i < threads_.size() && at_most; i++) {
            ThreadRecord& t = *threads_[++turn_ % threads_.size()];
            if (t.status_slices == t.now.slices) continue;
            at_most--;
            t.status_slices = t.now.slices;
            std::string status = t.files.status();
            value_after(status, "\nvoluntary_ctxt_switches:", t.now.voluntary);
            value_after(status, "\nnonvoluntary_ctxt_switches:", t.now.involuntary);
        }
    }
  private:
    static constexpr size_t kKeptOpen = 200;  // threads; three files each, of 1,024 a process may usually open
    bool list(const std::vector<long>& tids, uint64_t now) {
        std::set<long> added(tids.begin(), tids.end());
        size_t kept = 0;
        for (auto& t : threads_) {
            if (!t->gone && added.erase(t->tid)) threads_[kept++].swap(t);
            else end(*t, now);
        }
        bool changed = kept != threads_.size();
        threads_.resize(kept);
        for (long tid : added) changed |= add(tid, now);
        by_ns_tid_.clear();
        for (auto& t : threads_) by_ns_tid_[static_cast<uint32_t>(t->ns_tid)] = t.get();
        return changed;
    }
    bool add(long tid, uint64_t now) {
        auto t = std::make_unique<ThreadRecord>(proc_, tid, threads_.size() < kKeptOpen);
        if (!read_stat(*t, t->stat)) return false;
        t->number = next_number_++, t->process = process_, t->first_ns = now, t->look_minflt = t->now.minflt;
        // There at this round and not at the one before: its first look stands for the time between them.
        t->looked_ns = known_ns_ ? known_ns_ : now;
        t->ns_tid = inner_tid(t->files.status(), tid);
        read_schedstat(*t);
        write(*t);
        write_counters(*t, now, true);
        threads_.push_back(std::move(t));
        return true;
    }
    void end(ThreadRecord& t, uint64_t now) {
        write_counters(t, std::max(t.looked_ns, t.first_ns), false);
        probe_.look_at_operations(t.probe, 0, t.number, now);
        write(t, now);
    }
    void write_counters(ThreadRecord& t, uint64_t t_ns, bool always) {
        if (!always && !(t.now != t.written)) return;
        t.written = t.now;
        out_.row<72>(Table::thread_time, uint64_t{t.number}, t_ns, t.now);
    }
    Tables& out_;
    const ProcDirectory& proc_;
    ProbeReader& probe_;
    long count_ = -1;  // threads at the last scan
    Pace pace_;
    uint64_t full_scan_ns_ = 0, known_ns_ = 0;  // until when the list is known to be whole
    uint32_t process_ = 0, next_number_ = 0;
    bool some_gone_ = false;
    size_t turn_ = 0, busy_ = 0;
    std::vector<std::unique_ptr<ThreadRecord>> threads_;
    std::unordered_map<uint32_t, ThreadRecord*> by_ns_tid_;
};
}  // namespace storeprof
