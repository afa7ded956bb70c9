// The look loop: when to look, at whom, and what one look notes.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <random>
#include <thread>

#include "clock.hpp"
#include "probe_reader.hpp"
#include "python_process.hpp"
#include "resources.hpp"

namespace storeprof {

struct SamplerOptions {
    pid_t pid = 0;
    uint64_t mean_interval_ns = 5 * kMillisecond;
    double cpu_budget = 0.02;
    uint64_t seed = 0;
    size_t buffer_bytes = 256u << 20;
};

struct SamplerStats {
    uint64_t rounds = 0, looks = 0, reused = 0, cpu_ns = 0, mean_interval_ns = 0, threads = 0, processes = 0;
    uint64_t ok = 0, leaf_moved = 0, partial = 0, torn = 0, dropped_looks = 0;
    double look_fraction = 1;
    PythonProcess::State python_state = PythonProcess::State::searching;
    std::string python_version, python_why;
    ProbeStats probe;
    bool gone = false;
};

// Keeps the sampler's own CPU within its budget: a longer mean interval first (up to three times the wanted one), then
// only a random part of the threads at each round, whose looks then stand for longer.
class Governor {
  public:
    struct Round { double fixed_ns, looks_ns, totals_ns; size_t looked, threads; uint64_t now, started, spent_ns; };
    Governor(uint64_t wanted_ns, double budget) : wanted_(double(wanted_ns)), budget_(0.9 * budget), mean_(wanted_) {}
    void account(const Round& r) {
        fixed_ += kShare * (std::min(r.fixed_ns, 8 * fixed_) - fixed_);
        if (r.looked) per_look_ += kShare * (std::min(r.looks_ns / double(r.looked), 8 * per_look_) - per_look_);
        // Totals come by the clock, not by the round: they leave less for looks, but do not grow with the interval.
        totals_ = totals_ * std::exp(-double(r.now - last_) / kWindow) + r.totals_ns / kWindow;
        last_ = r.now;
        // What was overspent (at the start, say) is saved again within about a second.
        double debt = double(r.spent_ns) / budget_ - double(r.now - r.started);
        double budget = budget_ * std::clamp(1 - debt / double(kSecond), 0.5, 1.0) - totals_;
        budget = std::max(budget, budget_ / 5);
        double all = per_look_ * double(r.threads), widest = 3 * wanted_;
        mean_ = std::max(wanted_, (fixed_ + all) / budget);
        fraction_ = 1;
        if (mean_ <= widest) return;
        mean_ = std::min(std::max(widest, 2 * fixed_ / budget), 200.0 * kMillisecond);
        fraction_ = std::clamp((budget * mean_ - fixed_) / all, 1.0 / 256, 1.0);
    }
    double mean_ns() const { return mean_; }
    double fraction() const { return fraction_; }

  private:
    static constexpr double kShare = 1.0 / 32, kWindow = 2.0 * kSecond;
    double wanted_, budget_, mean_, fraction_ = 1, totals_ = 0;
    double per_look_ = 15'000, fixed_ = 20'000;  // ns of CPU, as measured on a slow machine
    uint64_t last_ = 0;
};

// Counters of a thread that only grow.
struct ThreadCounters {
    uint64_t run_ns = 0, delay_ns = 0, slices = 0, minflt = 0, majflt = 0, voluntary = 0, involuntary = 0;
    bool operator!=(const ThreadCounters& o) const {
        return run_ns != o.run_ns || delay_ns != o.delay_ns || slices != o.slices || minflt != o.minflt ||
               majflt != o.majflt || voluntary != o.voluntary || involuntary != o.involuntary;
    }
};

struct ThreadRecord {
    ThreadRecord(const ProcDirectory& proc, long tid_, long& budget) : files(proc, tid_, budget), tid(tid_) {}
    ThreadFiles files;
    long tid, ns_tid = 0;
    uint32_t number = 0, process = 0;
    uint64_t first_ns = 0, looked_ns = 0, start_ticks = 0;
    bool gone = false, listed = true;
    ThreadStat stat;
    std::string name;  // as last written
    ThreadCounters now, written;
    uint64_t status_slices = ~0ull;  // slices when `status` was read
    // What the last look found, which the next one takes over if the thread has not run since.
    bool fresh = true;
    uint64_t look_run = 0, look_slices = 0;
    Syscall call;
    uint32_t resource = kNone, stack = kNone;
    StackStatus stack_status = StackStatus::none;
    bool in_gil_wait = false;
    ProbePosition position;
    // For this round
    const PythonProcess::ThreadState* states[4] = {};
    int state_count = 0;
    PythonThread hints[4];
    ProbeThread probe;
};

class Sampler {
  public:
    explicit Sampler(const SamplerOptions& options)
        : options_(options), memory_(options.pid), proc_(options.pid), outbox_(options.buffer_bytes), stacks_(made_),
          python_(memory_, stacks_), resources_(made_, proc_), probe_(made_, ticks_, memory_, proc_),
          governor_(options.mean_interval_ns, options.cpu_budget), random_(options.seed ? options.seed : std::random_device{}()),
          descriptors_(descriptor_budget()) {
        ThreadStat stat;
        if (read_main_stat(stat)) start_ticks_ = stat.start_ticks;
    }
    ~Sampler() { stop(); }
    // 0, ESRCH or EPERM: whether the process is there and may be read.
    int check() const {
        if (!alive()) return ESRCH;
        char byte;
        iovec local{&byte, 1}, remote{nullptr, 1};  // address 0 is never mapped: EFAULT means "allowed"
        if (process_vm_readv(options_.pid, &local, 1, &remote, 1, 0) < 0 && (errno == EPERM || errno == ESRCH)) return errno;
        return 0;
    }
    bool start() {
        if (thread_.joinable() || stopping_) return false;
        sigset_t all, before;  // signals are for the program's own threads
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        thread_ = std::thread([this] { run(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return true;
    }
    void stop() { stopping_ = true; if (thread_.joinable()) thread_.join(); }
    bool alive() const {  // a zombie is gone, unless only its main thread has ended
        ThreadStat stat;
        return read_main_stat(stat) && !((stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1);
    }
    std::array<std::string, kTables> drain() { return outbox_.take(); }
    SamplerStats stats() { std::lock_guard<std::mutex> hold(stats_mutex_); return published_; }
    bool set_gate(bool on) { return probe_.set_gate(on); }

  private:
    bool read_main_stat(ThreadStat& stat) const {
        std::string text = proc_.exists() ? proc_.text(proc_.main_thread_stat()) : "";
        return !text.empty() && parse_stat(text.c_str(), stat, true);
    }
    // ---- the loop ----
    void run() {
        pthread_setname_np(pthread_self(), "storeprof-look");
        started_ns_ = now_ns();
        ticks_.take_anchor();
        begin_process(0);
        uint64_t next = now_ns();
        while (!stopping_ && !gone_) {
            round();
            std::uniform_real_distribution<double> around(0.5, 1.5);
            next = std::max<uint64_t>(next + static_cast<uint64_t>(around(random_) * governor_.mean_ns()), now_ns());
            sleep_until(next);
        }
        finish();
    }
    void sleep_until(uint64_t when) {  // in slices, so that stop() never waits long
        for (uint64_t now = now_ns(); now < when && !stopping_; now = now_ns()) {
            uint64_t until = std::min(when, now + 50 * kMillisecond);
            timespec t{static_cast<time_t>(until / kSecond), static_cast<long>(until % kSecond)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
        }
    }
    void round() {
        uint64_t cpu[5];
        auto stamp = [&](int i) { cpu[i] = now_ns(CLOCK_THREAD_CPUTIME_ID); };
        stamp(0);
        prepare();
        stamp(1);
        now_ = now_ns();
        choose_threads();
        bool python = python_.begin_round(threads_changed_ || now_ >= relist_ns_, chosen_all_ ? nullptr : &chosen_ids_);
        if (now_ >= relist_ns_) relist_ns_ = now_ + kSecond;
        if (python) assign_states();
        uint64_t looks_before = stats_.looks;
        stamp(2);
        look_at_threads();
        stamp(3);
        previous_round_ns_ = now_;
        if (python) threads_changed_ = false;
        totals();
        stamp(4);
        publish();
        stats_.rounds++;
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        double setup = double(cpu[1] - cpu[0]), lists = double(cpu[2] - cpu[1] + stats_.cpu_ns - cpu[4]);
        double often = std::min(setup, 20e3);  // the rest of the set-up (Python, the probe, new threads) has paces of its own
        governor_.account({often + lists, double(cpu[3] - cpu[2]), double(cpu[4] - cpu[3]) + setup - often,
                           stats_.looks - looks_before, threads_.size(), now_, started_ns_, stats_.cpu_ns});
    }
    void prepare() {
        now_ = now_ns();
        if (exec_check_.due(now_) || python_.failures() >= 3) {
            bool young = now_ - process_ns_ < 2 * kSecond;
            exec_check_.run((young ? 50 : 500) * kMillisecond, options_.cpu_budget / 10, [&] { check_exec(); });
        }
        rescan_threads();
        bool young = now_ - process_ns_ < 2 * kSecond;
        if (python_.state() == PythonProcess::State::searching && attach_.due(now_)) {
            attach_.run(young ? 20 * kMillisecond : kSecond, options_.cpu_budget / 4, [&] { python_.attach(proc_); });
            if (python_.state() != PythonProcess::State::searching) check_exec();  // what was found may be the next program
            describe_process();
        }
        if (!probe_.attached() && probe_scan_.due(now_)) {
            uint64_t age = now_ - process_ns_;
            uint64_t period = age < kSecond ? 10 * kMillisecond : age < 6 * kSecond ? 100 * kMillisecond : kSecond;
            probe_scan_.run(period, options_.cpu_budget / 4, [&] { probe_.scan(process_, ns_pid_, start_ticks_); });
            if (probe_.attached()) describe_process();
        }
    }
    // ---- processes: exec keeps the number and start time, and makes all else new ----
    std::string image_identity() const {
        ThreadStat stat;
        std::string exe = proc_.link("exe");
        // While exec is under way, and while a process ends, some of these are missing: no identity yet. (Without
        // the permission to know, the start of the code reads 1.)
        if (exe.empty() || !read_main_stat(stat) || (!stat.start_stack && stat.start_code != 1)) return "";
        return exe + " " + std::to_string(stat.start_code) + " " + std::to_string(stat.start_stack);
    }
    void begin_process(uint32_t exec) {
        process_ns_ = now_ = now_ns();
        process_ = stats_.processes++;
        exec_ = exec;
        identity_ = image_identity();
        ns_pid_ = options_.pid;
        std::string status = proc_.text("status");
        size_t line = status.find("NSpid:"), end = status.find('\n', line);
        own_namespace_ = true;
        if (line != std::string::npos) {
            size_t last = status.find_last_of(" \t", end - 1);
            ns_pid_ = atol(status.c_str() + last);
            own_namespace_ = status.find_first_not_of(" \t", line + 6) == last + 1;
        }
        python_.reset(), resources_.forget_mappings();
        attach_.restart(), probe_scan_.restart();
        described_.clear();
        describe_process();
    }
    void check_exec() {
        std::string identity = image_identity();
        if (identity.empty()) return;
        if (identity_.empty()) identity_ = identity;
        if (identity == identity_) {
            if (python_.failures() >= 3) python_.reset();  // finalised, or unloaded
            return;
        }
        end_all_threads();
        probe_.each_second(now_);
        probe_.detach();
        threads_.clear(), by_tid_.clear(), by_ns_tid_.clear();
        begin_process(exec_ + 1);
    }
    void describe_process() {
        JsonLine json;
        json.number("process", process_).number("pid", options_.pid).number("start_ticks", start_ticks_).number("exec", exec_);
        if (std::string exe = proc_.link("exe"); !exe.empty()) exe_ = exe;
        json.text("exe", exe_);
        python_.version().empty() ? json.null("python") : json.text("python", python_.version());
        python_.why().empty() ? json.null("python_why") : json.text("python_why", python_.why());
        json.flag("probe", probe_.attached());
        probe_.describe(json);
        std::string text = json.str();
        if (text == described_) return;
        described_ = text;
        made_.line(Table::processes, json.number("t_ns", now_));
    }
    // ---- threads ----
    void rescan_threads() {
        long count = proc_.thread_count();
        if (count < 0 || (count == 0 && !alive())) {
            gone_ = true;
            return;
        }
        bool changed = count != listed_count_ || some_gone_ || now_ >= full_scan_ns_;
        if (!changed || !thread_scan_.due(now_)) return;
        thread_scan_.run(0, options_.cpu_budget / 2, [&] { scan_threads(count); });
    }
    void scan_threads(long count) {
        for (auto& t : threads_) t->listed = false;
        for (long tid : proc_.numbered_entries("task")) {
            auto known = by_tid_.find(tid);
            if (known != by_tid_.end() && !known->second->gone) known->second->listed = true;
            else add_thread(tid);
        }
        size_t kept = 0;
        for (auto& t : threads_) {
            if (t->listed && !t->gone) {
                threads_[kept++].swap(t);
                continue;
            }
            end_thread(*t);
            auto at = by_tid_.find(t->tid);
            if (at != by_tid_.end() && at->second == t.get()) by_tid_.erase(at), by_ns_tid_.erase(static_cast<uint32_t>(t->ns_tid));
        }
        threads_changed_ |= kept != threads_.size();
        threads_.resize(kept);
        listed_count_ = count, some_gone_ = false, full_scan_ns_ = now_ + kSecond;
        if (threads_.empty() && !alive()) gone_ = true;
    }
    void add_thread(long tid) {
        auto t = std::make_unique<ThreadRecord>(proc_, tid, descriptors_);
        char text[1024];
        if (t->files.read(ThreadFiles::stat, text, sizeof text) != ThreadFiles::Result::ok || !parse_stat(text, t->stat, true)) return;
        if (t->stat.state == 'Z' || t->stat.state == 'X') return;
        t->number = next_thread_++, t->process = process_, t->first_ns = now_;
        // Alive at this look, not at the one before: it stands for the time in between, on average its life till now.
        t->looked_ns = previous_round_ns_ && process_ns_ < previous_round_ns_ ? previous_round_ns_ : now_;
        t->start_ticks = t->stat.start_ticks;
        t->ns_tid = own_namespace_ ? tid : last_number_of(t->files.status(), "NSpid:", tid);
        read_counters(*t);
        write_thread(*t, false);
        write_counters(*t, now_, true);
        threads_changed_ = true;
        by_tid_[tid] = by_ns_tid_[static_cast<uint32_t>(t->ns_tid)] = t.get();
        threads_.push_back(std::move(t));
    }
    static long last_number_of(const std::string& text, const char* key, long otherwise) {
        size_t line = text.find(key);
        if (line == std::string::npos) return otherwise;
        return atol(text.c_str() + text.find_last_of(" \t", text.find('\n', line) - 1));
    }
    void write_thread(ThreadRecord& t, bool ended) {
        t.name = t.stat.name;
        JsonLine json;
        json.number("thread", t.number).number("process", t.process).number("tid", t.tid).number("ns_tid", t.ns_tid);
        json.number("start_ticks", t.start_ticks).text("name", t.name).number("t_ns", t.first_ns);
        if (ended) json.number("ended_ns", now_);
        made_.line(Table::threads, json);
    }
    void end_thread(ThreadRecord& t) {
        write_counters(t, std::max(t.looked_ns, t.first_ns), false);
        probe_.end_thread(t.probe, t.number, now_);
        write_thread(t, true);
    }
    void end_all_threads() { for (auto& t : threads_) end_thread(*t); }
    // ---- one look ----
    void choose_threads() {
        std::uniform_real_distribution<double> unit(0, 1);
        double fraction = governor_.fraction();
        chosen_all_ = fraction >= 1;
        chosen_.clear(), chosen_ids_.clear();
        for (auto& t : threads_) {
            if (t->gone || (!chosen_all_ && unit(random_) >= fraction)) continue;
            chosen_.push_back(t.get());
            t->state_count = 0;
            if (!chosen_all_) chosen_ids_.insert(static_cast<uint32_t>(t->ns_tid));
        }
    }
    void assign_states() {
        size_t matching = 0;
        for (auto& state : python_.threads()) {
            ThreadRecord* t = by_native_id(state.native_id);
            if (!t) continue;  // not bound yet, or just ended
            matching++;
            if (t->state_count < 4) t->states[t->state_count++] = &state;
        }
        python_.check_layout(matching);
    }
    ThreadRecord* by_native_id(uint32_t id) const {
        auto at = by_ns_tid_.find(id);
        return at == by_ns_tid_.end() ? nullptr : at->second;
    }
    void look_at_threads() { for (ThreadRecord* t : chosen_) look(*t); for (auto& t : threads_) t->state_count = 0; }
    void look(ThreadRecord& t) {
        uint64_t t_ns = now_ns();
        bool same = read_counters(t) && !t.fresh && t.stat.state != 'R' && t.call.number != Syscall::running &&
                    t.now.slices && t.now.slices == t.look_slices && t.now.run_ns == t.look_run;
        if (t.gone) return;
        if (!same && !look_afresh(t, t_ns)) return;
        t.fresh = false;
        t.look_run = t.now.run_ns, t.look_slices = t.now.slices;
        write_look(t, t_ns, same);
    }
    bool look_afresh(ThreadRecord& t, uint64_t t_ns) {
        char text[1024];
        t.position = probe_.position(t.probe, t.ns_tid);
        if (read_stat(t) != ThreadFiles::Result::ok) return false;
        if (t.stat.state == 'Z' || t.stat.state == 'X') t.gone = some_gone_ = true;
        if (t.gone) return false;
        t.call = Syscall{};
        if (t.stat.state != 'R') {
            auto result = t.files.read(ThreadFiles::syscall, text, sizeof text);
            if (result == ThreadFiles::Result::ok) t.call = parse_syscall(text);
            else t.call.number = Syscall::unreadable;
        }
        t.stack = kNone, t.stack_status = StackStatus::none, t.in_gil_wait = false;
        for (int i = 0; i < t.state_count && t.stack_status == StackStatus::none; i++) {
            t.stack_status = python_.read_stack(t.hints[i], *t.states[i], t_ns, frames_);
            if (t.stack_status != StackStatus::none) t.stack = number_of_stack();
        }
        if (t.call.number == SYS_futex)
            for (int i = 0; i < t.state_count; i++) t.in_gil_wait |= python_.in_gil(*t.states[i], t.call.arg0);
        t.resource = resources_.of(t.call, t_ns);
        if (t.name != t.stat.name) write_thread(t, false);
        return true;
    }
    uint32_t number_of_stack() {
        uint32_t stack = kNone;
        for (size_t i = frames_.size(); i-- > 0;) stack = stacks_.push(stack, frames_[i]);
        return stack;
    }
    void write_look(ThreadRecord& t, uint64_t t_ns, bool reused) {
        LookRow row{};
        row.t_ns = t_ns, row.thread = t.number;
        uint64_t gap = t_ns > t.looked_ns ? t_ns - t.looked_ns : 0;
        row.weight_ns = static_cast<uint32_t>(std::min<uint64_t>(gap, 4 * kSecond));
        t.looked_ns = t_ns;
        row.syscall = static_cast<int16_t>(std::min(t.call.number, 32767));
        row.arg0 = t.call.arg0, row.arg1 = t.call.arg1, row.arg2 = static_cast<uint32_t>(t.call.arg2);
        row.stack_pointer = t.call.stack_pointer;
        row.state = t.stat.state;
        row.holder = kNone;
        for (int i = 0; i < t.state_count; i++) {
            auto& state = *t.states[i];
            if (python_.holds_gil(state)) row.flags |= 2;
            if (!t.in_gil_wait || !python_.in_gil(state, t.call.arg0)) continue;
            if (ThreadRecord* holder = by_native_id(python_.gil_holder(state))) row.holder = holder->number;
        }
        row.flags |= (t.in_gil_wait ? 1 : 0) | (reused ? 4 : 0);
        row.py_status = static_cast<uint8_t>(t.stack_status), row.py_stack = t.stack;
        row.resource = t.resource;
        row.scope_node = t.position.node, row.op_seq = t.position.op_seq;
        made_.row(Table::looks, row);
        probe_.look_at_operations(t.probe, t.position, t.number, t_ns);
        count(t.stack_status, reused);
    }
    void count(StackStatus status, bool reused) {
        stats_.looks++;
        stats_.reused += reused;
        stats_.ok += status == StackStatus::ok;
        stats_.leaf_moved += status == StackStatus::leaf_moved;
        stats_.partial += status == StackStatus::partial;
        stats_.torn += status == StackStatus::torn;
    }
    // ---- counters ----
    bool read_counters(ThreadRecord& t) {
        char text[128];
        auto result = t.files.read(ThreadFiles::schedstat, text, sizeof text);
        if (result == ThreadFiles::Result::ok) {
            Scanner s(text);
            t.now.run_ns = s.number(), t.now.delay_ns = s.number(), t.now.slices = s.number();
        }
        if (result == ThreadFiles::Result::ok && t.now.slices) return true;
        // A kernel without scheduler statistics: coarse CPU time, and no look can be taken over.
        if (read_stat(t) == ThreadFiles::Result::ok) t.now.run_ns = t.stat.cpu_ticks * (kSecond / sysconf(_SC_CLK_TCK));
        return false;
    }
    ThreadFiles::Result read_stat(ThreadRecord& t) {
        char text[1024];
        auto result = t.files.read(ThreadFiles::stat, text, sizeof text);
        if (result == ThreadFiles::Result::ok && !parse_stat(text, t.stat)) result = ThreadFiles::Result::unreadable;
        if (result == ThreadFiles::Result::gone) t.gone = some_gone_ = true;
        t.now.minflt = t.stat.minflt, t.now.majflt = t.stat.majflt;
        return result;
    }
    void write_counters(ThreadRecord& t, uint64_t t_ns, bool always) {
        if (!always && !(t.now != t.written)) return;
        t.written = t.now;
        auto& n = t.now;
        made_.row(Table::thread_time, ThreadTimeRow{t.number, 0, t_ns, n.run_ns, n.delay_ns, n.minflt, n.majflt,
                                                    n.voluntary, n.involuntary, n.slices});
    }
    void totals() {
        uint64_t now = now_ns();
        if (second_.due(now)) second_.run(kSecond, options_.cpu_budget / 8, [&] { each_second(now); });
        if (quarter_.due(now)) {
            quarter_.run(240 * kMillisecond, options_.cpu_budget / 8, [&] { write_all_counters(false); });
        }
        if (half_.due(now)) half_.run(490 * kMillisecond, options_.cpu_budget / 8, [&] { write_memory(now); });
    }
    void each_second(uint64_t now) {
        made_.row(Table::anchors, ticks_.take_anchor());
        read_switches(kStatusPerSecond);
        probe_.each_second(now);
        describe_process();
    }
    void write_all_counters(bool always) {
        for (auto& t : threads_) {
            if (t->gone) continue;
            uint64_t t_ns = now_ns();
            read_counters(*t);
            if (t->now.slices != t->written.slices || t->now.run_ns != t->written.run_ns) read_faults(*t);
            write_counters(*t, t_ns, always);
        }
    }
    void read_faults(ThreadRecord& t) {  // without touching what the last look knew
        ThreadStat kept = t.stat;
        read_stat(t);
        t.stat = std::move(kept);
    }
    void read_switches(size_t at_most) {  // the dear file: a few threads a second, in turn
        for (size_t i = 0; i < threads_.size() && at_most; i++) {
            ThreadRecord& t = *threads_[++status_turn_ % threads_.size()];
            if (t.status_slices == t.now.slices) continue;
            at_most--;
            t.status_slices = t.now.slices;
            std::string status = t.files.status();
            value_after(status, "\nvoluntary_ctxt_switches:", t.now.voluntary);
            value_after(status, "\nnonvoluntary_ctxt_switches:", t.now.involuntary);
        }
    }
    void write_memory(uint64_t now) {
        MemoryRow row{now, process_, 0, 0, 0, kUnknownBytes, kUnknownBytes};
        std::string status = proc_.text("status"), io = proc_.text("io");
        if (!value_after(status, "VmRSS:", row.rss) || !value_after(status, "VmHWM:", row.rss_peak)) return;  // ending
        row.rss *= 1024, row.rss_peak *= 1024;
        value_after(io, "\nread_bytes:", row.read_bytes);
        value_after(io, "\nwrite_bytes:", row.written_bytes);
        made_.row(Table::memory, row);
    }
    void publish() {
        uint64_t dropped = outbox_.publish(made_);
        stats_.dropped_looks += dropped;
        stats_.mean_interval_ns = static_cast<uint64_t>(governor_.mean_ns());
        stats_.look_fraction = governor_.fraction();
        stats_.threads = threads_.size();
        stats_.python_state = python_.state();
        stats_.gone = gone_;
        std::lock_guard<std::mutex> hold(stats_mutex_);
        if (stats_.python_version != python_.version()) stats_.python_version = python_.version();
        if (stats_.python_why != python_.why()) stats_.python_why = python_.why();
        stats_.probe = probe_.stats();
        published_ = stats_;
    }
    void finish() {  // the last totals; the probe's mapping outlives the target
        now_ = now_ns();
        gone_ = gone_ || !alive();
        if (!gone_) {
            read_switches(threads_.size());
            write_all_counters(true);
            write_memory(now_);
        } else { end_all_threads(); }
        made_.row(Table::anchors, ticks_.take_anchor());
        probe_.each_second(now_);
        if (!gone_) probe_.restore_gate();
        describe_process();
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        publish();
    }
    static constexpr size_t kStatusPerSecond = 30;
    const SamplerOptions options_;
    TargetMemory memory_;
    ProcDirectory proc_;
    Tables made_;
    Outbox outbox_;
    TickClock ticks_;
    StackTable stacks_;
    PythonProcess python_;
    ResourceTable resources_;
    ProbeReader probe_;
    Governor governor_;
    std::mt19937_64 random_;
    long descriptors_;
    uint32_t process_ = 0, exec_ = 0, next_thread_ = 0;
    uint64_t start_ticks_ = 0, started_ns_ = 0, process_ns_ = 0, now_ = 0, previous_round_ns_ = 0, full_scan_ns_ = 0,
             relist_ns_ = 0;
    std::string identity_, exe_, described_;
    long ns_pid_ = 0, listed_count_ = -1;
    bool own_namespace_ = true, some_gone_ = false, threads_changed_ = true, gone_ = false;
    Pace exec_check_, attach_, probe_scan_, thread_scan_, second_, quarter_, half_;
    std::vector<std::unique_ptr<ThreadRecord>> threads_;
    std::unordered_map<long, ThreadRecord*> by_tid_;
    std::unordered_map<uint32_t, ThreadRecord*> by_ns_tid_;
    std::vector<ThreadRecord*> chosen_;  // for this round
    std::unordered_set<uint32_t> chosen_ids_;
    bool chosen_all_ = true;
    std::vector<uint32_t> frames_;
    size_t status_turn_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
    SamplerStats stats_;  // the sampler thread's own
    std::mutex stats_mutex_;
    SamplerStats published_;  // guarded by stats_mutex_
};

}  // namespace storeprof
