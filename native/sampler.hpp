// The look loop: when to look, at whom, and what one look notes.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>

#include "governor.hpp"
#include "thread_table.hpp"

namespace storeprof {

struct SamplerOptions {
    pid_t pid = 0;
    uint64_t mean_interval_ns = 5 * kMillisecond, seed = 0;
    double cpu_budget = 0.02;
    size_t buffer_bytes = 256u << 20;
};

struct SamplerStats {
    uint64_t rounds = 0, looks = 0, reused = 0, cpu_ns = 0, mean_interval_ns = 0, threads = 0, processes = 0;
    uint64_t by_status[5] = {}, dropped_looks = 0;
    double look_fraction = 1;
    PythonProcess::State python_state = PythonProcess::State::searching;
    std::string python_version, python_why;
    ProbeStats probe;
    bool gone = false;
};

class Sampler {
  public:
    explicit Sampler(const SamplerOptions& o)
        : options_(o), memory_(o.pid), proc_(o.pid), outbox_(o.buffer_bytes), stacks_(made_), python_(memory_, stacks_),
          resources_(made_, proc_), probe_(made_, ticks_, memory_, proc_), threads_(made_, proc_, probe_),
          governor_(o.mean_interval_ns, o.cpu_budget), random_(o.seed ? o.seed : std::random_device{}()) {
        ThreadStat stat;
        if (read_main_stat(stat)) start_ticks_ = stat.start_ticks;
    }
    ~Sampler() { stop(); }

    int check() const {  // 0, ESRCH or EPERM: whether the process is there and may be read
        char byte;
        iovec local{&byte, 1}, remote{nullptr, 1};  // address 0 is never mapped: EFAULT means "allowed"
        if (!alive()) return ESRCH;
        bool failed = process_vm_readv(options_.pid, &local, 1, &remote, 1, 0) < 0;
        return failed && (errno == EPERM || errno == ESRCH) ? errno : 0;
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
    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }
    bool alive() const {  // a zombie is gone, unless only its main thread has ended
        ThreadStat stat;
        return read_main_stat(stat) && !(stat.ended() && stat.threads <= 1);
    }
    std::array<std::string, kTables> drain() { return outbox_.take(); }
    bool set_gate(bool on) { return probe_.set_gate(on); }
    SamplerStats stats() {
        std::lock_guard<std::mutex> hold(stats_mutex_);
        return published_;
    }

  private:
    bool read_main_stat(ThreadStat& stat) const { return parse_stat(proc_.text(proc_.main_stat).c_str(), stat, true); }

    // ---- the loop ----
    void run() {
        pthread_setname_np(pthread_self(), "storeprof-look");
        ticks_.take_anchor();
        begin_process();
        uint64_t next = started_ns_ = now_;
        std::uniform_real_distribution<double> around(0.5, 1.5);
        while (!stopping_ && !gone_) {
            round();
            next = std::max<uint64_t>(next + static_cast<uint64_t>(around(random_) * governor_.mean_ns()), now_ns());
            sleep_until(next);
        }
        finish();
    }
    void sleep_until(uint64_t when) const {  // in slices, so that stop() never waits long
        for (uint64_t now = now_ns(); now < when && !stopping_; now = now_ns()) {
            uint64_t until = std::min(when, now + 50 * kMillisecond);
            timespec t{static_cast<time_t>(until / kSecond), static_cast<long>(until % kSecond)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
        }
    }
    void round() {
        uint64_t begin = now_ns(), cpu_before = stats_.cpu_ns;
        prepare();
        uint64_t prepared = now_ns();
        choose_threads();
        bool relist = threads_changed_ || now_ >= relist_ns_;
        if (python_.begin_round(relist, all_chosen_ ? nullptr : &chosen_ids_)) {
            threads_changed_ = false;
            if (relist) relist_ns_ = now_ + kSecond;
            assign_states();
        }
        uint64_t listed = now_ns();
        for (ThreadRecord* t : chosen_) look(*t);
        uint64_t looked = now_ns();
        totals();
        uint64_t totalled = now_ns();
        publish();
        stats_.rounds++;
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        // The CPU clock is a system call, so it is read once (which counts the wake-up, too) and shared out by time.
        // Finding Python, the probe and new threads have paces of their own and are no part of what a round costs.
        double cpu = double(stats_.cpu_ns - cpu_before), scale = std::min(1.0, cpu / double(now_ns() - begin));
        double looks = double(looked - listed) * scale, setup = std::max(0.0, double(prepared - begin) * scale - 20e3);
        double totals = double(totalled - looked) * scale + setup;
        governor_.account({std::max(0.0, cpu - looks - totals), looks, totals, chosen_.size(), threads_.size(), now_,
                           started_ns_, stats_.cpu_ns});
    }
    void prepare() {
        now_ = now_ns();
        uint64_t age = now_ - process_ns_;
        bool young = age < 2 * kSecond;
        if (exec_check_.due(now_) || python_.failures() >= 3)
            exec_check_.run((young ? 50 : 500) * kMillisecond, options_.cpu_budget / 10, [&] { check_exec(); });
        long count = proc_.thread_count();
        if (count >= 0 && threads_.due(count, now_)) threads_changed_ |= threads_.scan(count, now_, options_.cpu_budget / 2);
        gone_ = count < 0 || (!threads_.size() && !alive());
        if (!gone_ && python_.state() == PythonProcess::State::searching && attach_.due(now_)) {
            attach_.run(young ? 20 * kMillisecond : kSecond, options_.cpu_budget / 4, [&] { python_.attach(proc_); });
            if (python_.state() != PythonProcess::State::searching) check_exec();  // it may be the next program's
            describe_process();
        }
        if (!gone_ && !probe_.attached() && probe_scan_.due(now_)) {
            uint64_t period = (age < kSecond ? 10 : age < 6 * kSecond ? 100 : 1000) * kMillisecond;
            probe_scan_.run(period, options_.cpu_budget / 4, [&] { probe_.scan(process_, ns_pid_, start_ticks_); });
            if (probe_.attached()) describe_process();
        }
    }

    // ---- processes: exec keeps the number and start time, and makes all else new ----
    std::string image_identity() const {
        ThreadStat stat;
        std::string exe = proc_.link("exe");
        // While exec is under way, and while a process ends, some of these are missing: no identity yet. (Without the
        // permission to know, the start of the code reads 1 and that of the stack 0.)
        if (exe.empty() || !read_main_stat(stat) || !stat.start_code || (!stat.start_stack && stat.start_code != 1)) return "";
        return exe + " " + std::to_string(stat.start_code) + " " + std::to_string(stat.start_stack);
    }
    void begin_process() {
        process_ns_ = now_ = now_ns();
        process_ = static_cast<uint32_t>(stats_.processes++);
        identity_ = image_identity();
        std::string status = proc_.text("status");
        ns_pid_ = inner_tid(status, options_.pid);
        threads_.begin_process(process_, status.find("NSpid:\t" + std::to_string(ns_pid_) + "\n") != std::string::npos);
        python_.reset(), resources_.forget_mappings();
        attach_.restart(), probe_scan_.restart();
        threads_changed_ = true;
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
        threads_.end_all(now_);
        probe_.each_second(now_);
        probe_.detach();
        begin_process();
    }
    void describe_process() {
        JsonLine json;
        if (std::string exe = proc_.link("exe"); !exe.empty()) exe_ = exe;
        json.number("process", process_).number("pid", options_.pid).number("start_ticks", start_ticks_);
        json.number("exec", process_).text("exe", exe_).text_or_null("python", python_.version());
        json.text_or_null("python_why", python_.why()).flag("probe", probe_.attached());
        probe_.describe(json);
        if (described_ == json.str()) return;
        described_ = json.str();
        made_.line(Table::processes, json.number("t_ns", now_));
    }

    // ---- one look ----
    void choose_threads() {
        std::uniform_real_distribution<double> unit(0, 1);
        double fraction = governor_.fraction();
        all_chosen_ = fraction >= 1;
        chosen_.clear(), chosen_ids_.clear();
        for (auto& t : threads_.all()) {
            t->state_count = 0;
            if (t->gone || (!all_chosen_ && unit(random_) >= fraction)) continue;
            chosen_.push_back(t.get());
            if (!all_chosen_) chosen_ids_.insert(static_cast<uint32_t>(t->ns_tid));
        }
    }
    void assign_states() {
        size_t matching = 0;
        for (auto& state : python_.threads()) {
            ThreadRecord* t = threads_.by_native_id(state.native_id);
            if (!t) continue;  // not bound yet, or just ended
            matching++;
            if (t->state_count < 4) t->states[t->state_count++] = &state;
        }
        python_.check_layout(matching);
    }
    void look(ThreadRecord& t) {
        uint64_t t_ns = now_ns();
        bool same = threads_.read_schedstat(t) && t.settled && t.now.slices == t.look_slices && t.now.run_ns == t.look_run;
        same &= !t.state_count || t.look_had_states;  // Python was found meanwhile
        if (t.gone || (!same && !look_afresh(t, t_ns))) return;
        write_look(t, t_ns, same);
        probe_.look_at_operations(t.probe, t.position, t.number, t_ns);
        stats_.looks++, stats_.reused += same, stats_.by_status[static_cast<int>(t.stack_status)]++;
    }
    bool look_afresh(ThreadRecord& t, uint64_t t_ns) {
        char text[1024];
        t.look_run = t.now.run_ns, t.look_slices = t.now.slices, t.look_had_states = t.state_count;
        t.position = probe_.position(t.probe, t.ns_tid, now_);
        t.settled = false;
        if (!threads_.read_stat(t, t.stat)) return false;
        t.call = Syscall{};
        if (t.stat.state != 'R') {
            bool read = t.files.read(ThreadFiles::syscall, text, sizeof text) == ThreadFiles::Result::ok;
            if (read) t.call = parse_syscall(text);
            else t.call.number = Syscall::unreadable;
        }
        t.stack = kNone, t.stack_status = StackStatus::none, t.in_gil_wait = false;
        for (int i = 0; i < t.state_count; i++) {  // the newest interpreter first: the first with frames is the live one
            t.in_gil_wait |= t.call.number == SYS_futex && python_.in_gil(*t.states[i], t.call.arg0);
            if (t.stack_status != StackStatus::none) continue;
            t.stack_status = python_.read_stack(t.hints[i], *t.states[i], t_ns, frames_);
            for (size_t f = frames_.size(); f-- > 0;) t.stack = stacks_.push(t.stack, frames_[f]);
        }
        t.resource = resources_.of(t.call, t_ns);
        t.settled = t.stat.state != 'R' && t.call.number != Syscall::running && t.stack_status <= StackStatus::ok;
        if (t.name != t.stat.name) threads_.write(t);
        return true;
    }
    void write_look(ThreadRecord& t, uint64_t t_ns, bool reused) {
        LookRow row{};
        row.t_ns = t_ns, row.thread = t.number;
        row.weight_ns = static_cast<uint32_t>(std::min<uint64_t>(t_ns - std::min(t_ns, t.looked_ns), 4 * kSecond));
        t.looked_ns = t_ns;
        row.syscall = static_cast<int16_t>(std::min(t.call.number, 32767)), row.state = t.stat.state;
        row.arg0 = t.call.arg0, row.arg1 = t.call.arg1, row.arg2 = static_cast<uint32_t>(t.call.arg2);
        row.stack_pointer = t.call.stack_pointer, row.resource = t.resource;
        row.py_status = static_cast<uint8_t>(t.stack_status), row.py_stack = t.stack;
        row.scope_node = t.position.node, row.op_seq = t.position.op_seq;
        row.flags = (t.in_gil_wait ? 1 : 0) | (reused ? 4 : 0), row.holder = kNone;
        for (int i = 0; i < t.state_count; i++) {
            auto& state = *t.states[i];
            if (python_.holds_gil(state) && !t.in_gil_wait) row.flags |= 2;
            if (!t.in_gil_wait || !python_.in_gil(state, t.call.arg0)) continue;
            ThreadRecord* holder = threads_.by_native_id(python_.gil_holder(state));  // as the round began
            if (holder && holder != &t) row.holder = holder->number;
        }
        made_.row(Table::looks, row);
    }

    // ---- totals, by the clock ----
    void totals() {
        uint64_t now = now_ns();
        double share = options_.cpu_budget / 8;
        if (second_.due(now)) second_.run(kSecond, share, [&] { each_second(now, kStatusPerSecond); });
        if (quarter_.due(now)) quarter_.run(240 * kMillisecond, share, [&] { threads_.write_all_counters(false); });
        if (half_.due(now)) half_.run(490 * kMillisecond, share, [&] { write_memory(now); });
    }
    void each_second(uint64_t now, size_t at_most) {
        made_.row(Table::anchors, ticks_.take_anchor());
        threads_.read_switches(at_most);
        probe_.each_second(now);
        describe_process();
    }
    void write_memory(uint64_t now) {
        MemoryRow row{now, process_, 0, 0, 0, kUnknownBytes, kUnknownBytes};
        std::string status = proc_.text("status"), io = proc_.text("io");
        if (!value_after(status, "VmRSS:", row.rss) || !value_after(status, "VmHWM:", row.rss_peak)) return;  // ending
        row.rss *= 1024, row.rss_peak = std::max(row.rss, row.rss_peak * 1024);
        value_after(io, "\nread_bytes:", row.read_bytes), value_after(io, "\nwrite_bytes:", row.written_bytes);
        made_.row(Table::memory, row);
    }
    void finish() {  // the last totals; the probe's mapping outlives the target
        now_ = now_ns();
        gone_ = gone_ || !alive();
        if (gone_) threads_.end_all(now_);
        else write_memory(now_), probe_.restore_gate();
        each_second(now_, threads_.size());
        threads_.write_all_counters(true);
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        publish();
    }
    void publish() {
        stats_.dropped_looks += outbox_.publish(made_);
        stats_.mean_interval_ns = static_cast<uint64_t>(governor_.mean_ns()), stats_.look_fraction = governor_.fraction();
        stats_.threads = threads_.size(), stats_.gone = gone_, stats_.probe = probe_.stats();
        stats_.python_state = python_.state(), stats_.python_version = python_.version(), stats_.python_why = python_.why();
        std::lock_guard<std::mutex> hold(stats_mutex_);
        published_ = stats_;
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
    ThreadTable threads_;
    Governor governor_;
    std::mt19937_64 random_;

    uint32_t process_ = 0;  // also the number of its exec: there is one pid
    uint64_t start_ticks_ = 0, started_ns_ = 0, process_ns_ = 0, now_ = 0, relist_ns_ = 0;
    long ns_pid_ = 0;
    std::string identity_, exe_, described_;
    bool threads_changed_ = true, gone_ = false, all_chosen_ = true;
    Pace exec_check_, attach_, probe_scan_, second_, quarter_, half_;
    std::vector<ThreadRecord*> chosen_;  // for this round
    std::unordered_set<uint32_t> chosen_ids_;
    std::vector<uint32_t> frames_;

    std::atomic<bool> stopping_{false};
    std::thread thread_;
    SamplerStats stats_;  // the sampler thread's own
    std::mutex stats_mutex_;
    SamplerStats published_;  // guarded by stats_mutex_
};

}  // namespace storeprof
