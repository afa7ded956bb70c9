// The look loop: when to look, at whom, and what one look notes.
#pragma once
#include <linux/futex.h>
#include <signal.h>
#include <atomic>
#include <condition_variable>
#include <thread>
#include "thread_table.hpp"
namespace storeprof {
struct SamplerOptions {
    pid_t pid = 0;
    uint64_t mean_interval_ns = 5 * kMillisecond, seed = 0;
    double cpu_budget = 0.02;
    size_t buffer_bytes = 256u << 20;
};
struct SamplerStats {
    uint64_t rounds = 0, looks = 0, reused = 0, cpu_ns = 0, mean_interval_ns = 0, threads = 0;
    uint64_t by_status[5] = {}, dropped_looks = 0;
    double look_fraction = 1;
    PythonRuntime python;
    ProbeStats probe;
    bool gone = false;
};
class Sampler {
  public:
    Sampler(const SamplerOptions& o, FindPython find_python)
        : options_(o), find_python_(std::move(find_python)), memory_(o.pid), proc_(o.pid), made_(o.buffer_bytes),
          stacks_(made_), python_(memory_, stacks_), resources_(made_, proc_), probe_(made_, proc_),
          threads_(made_, proc_, probe_), governor_(o.mean_interval_ns), budget_(o.cpu_budget),
          random_(o.seed ? o.seed : std::random_device{}()) {}
    ~Sampler() { stop(); }
    int check() const {  // 0, ESRCH or EPERM: whether the process is there and can be seen
        return alive() ? 0 : kill(options_.pid, 0) && errno == EPERM ? EPERM : ESRCH;
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
        { std::lock_guard<std::mutex> hold(mutex_); stopping_ = true; }
        stop_.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    bool alive() const {  // a zombie is gone, unless only its main thread has ended
        ThreadStat stat;
        return read_main_stat(stat) && !(stat.ended() && stat.threads <= 1);
    }
    Tables::Bytes drain() { return made_.take(); }
    ProbeReader::Found probes() { return probe_.take_found(); }
    void set_budget(double cpu_seconds_per_second) { budget_ = cpu_seconds_per_second; }
    SamplerStats stats() {
        return std::lock_guard<std::mutex>(mutex_), published_;
    }
  private:
    bool read_main_stat(ThreadStat& stat) const {  // of the thread: the process's own adds up all of its threads
        return stat.parse(proc_.text("task/" + std::to_string(options_.pid) + "/stat").c_str());
    }
    // ---- the loop ----
    void run() {
        pthread_setname_np(pthread_self(), "storeprof-look");
        begin_process();
        started_ns_ = now_;
        auto next = std::chrono::steady_clock::now();  // the monotonic clock
        std::uniform_real_distribution<double> around(0.5, 1.5);
        for (std::unique_lock<std::mutex> hold(mutex_); !stopping_ && !gone_; stop_.wait_until(hold, next)) {
            hold.unlock();
            round();
            next += std::chrono::nanoseconds(static_cast<int64_t>(around(random_) * governor_.mean_ns()));
            next = std::max(next, std::chrono::steady_clock::now());
            hold.lock();
        }
        finish();
    }
    void round() {
        uint64_t spent = stats_.cpu_ns;
        governor_.set_budget(budget_);
        now_ = now_ns();
        prepare();
        bool relist = threads_changed_ || now_ >= relist_ns_;
        for (auto& t : threads_.all()) t->python = nullptr;
        if (python_.begin_round(relist)) {
            if (relist) relist_ns_ = now_ + kSecond;
            threads_changed_ = false;
            assign_states();
        }
        size_t looks = std::min(threads_.size(), governor_.threads_per_round());
        // Half the turns are for those that ran lately: not when last looked at, else ends of bursts are seen too often.
        size_t of_busy = looks < threads_.size() ? std::min(threads_.busy(), looks / 2) : 0;
        for (size_t i = 0; i < looks && !other_image_; i++)
            look(*threads_.all()[i < of_busy ? ++busy_turn_ % threads_.busy() : ++turn_ % threads_.size()]);
        if (other_image_) begin_process();
        totals();
        stats_.rounds++;
        stats_.look_fraction = threads_.size() ? double(looks) / double(threads_.size()) : 1;
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        governor_.account(double(stats_.cpu_ns - spent), looks, threads_.size(), now_ - started_ns_, stats_.cpu_ns);
        publish();
    }
    void prepare() {
        uint64_t age = now_ - process_ns_;
        if (python_.failures() >= 3) check_image();
        long count = proc_.thread_count();
        if (count >= 0) threads_changed_ |= threads_.scan(count, now_, budget_ / 2);
        gone_ = count < 0 || (!threads_.size() && !alive());
        if (gone_) return;
        if (python_.found().state == PythonState::searching && attach_.due(now_)) {
            // Most programs that run Python do so within the first tenth of a second.
            uint64_t period = std::clamp(age / 4, 8 * kMillisecond, kSecond);
            attach_.run(period, 5 * budget_, [&] { python_.attach(find_python_); });
            if (python_.found().state != PythonState::searching) check_image();  // it may be the next program's
            describe_process();
        }
        if (!probe_.attached() && probe_scan_.due(now_)) {
            uint64_t period = (age < kSecond ? 10 : age < 6 * kSecond ? 100 : 1000) * kMillisecond;
            probe_scan_.run(period, budget_ / 4, [&] { probe_.scan(process_, ns_pid_); });
        }
    }
    // Processes: exec keeps the number and start time, and makes all else new.
    bool is_other_image(const ImagePlace& seen) {  // asked at every fresh look: a thread that did not run did not exec
        if (!seen.start_code || !seen.start_stack) return false;
        if (!image_.start_code) image_ = seen;
        return seen != image_;
    }
    void check_image() {
        ThreadStat stat;
        if (!read_main_stat(stat) || !stat.image.start_code) return;  // ending, or exec is under way
        if (is_other_image(stat.image)) begin_process();
        else if (python_.failures() >= 3) python_.reset();  // finalised, or unloaded
    }
    void begin_process() {
        process_ns_ = now_ = now_ns();
        ThreadStat stat;
        if (read_main_stat(stat)) start_ticks_ = stat.start_ticks;
        image_ = {}, other_image_ = false, threads_changed_ = true;
        is_other_image(stat.image);
        exe_ = proc_.link("exe");
        ns_pid_ = inner_tid(proc_.text("status"), options_.pid);
        process_ = processes_++;
        threads_.begin_process(process_, now_);
        probe_.detach();
        python_.reset();
        attach_.restart(), probe_scan_.restart();
        describe_process();
    }
    void describe_process() {
        if (exe_.empty()) exe_ = proc_.link("exe");
        JsonLine json("process", process_, "pid", options_.pid, "start_ticks", start_ticks_, "exec", process_, "exe", exe_);
        for (auto& [key, text] : {std::pair{"python", python_.found().version}, std::pair{"python_why", python_.found().why}})
            text.empty() ? json.add(key, nullptr) : json.add(key, text);
        if (described_ == json.str()) return;
        described_ = json.str();
        json.add("t_ns", now_);
        made_.line(Table::processes, json);
    }
    // ---- one look ----
    void assign_states() {
        size_t matching = 0;
        for (auto& state : python_.threads()) {
            ThreadRecord* t = threads_.by_native_id(state.native_id);
            if (!t) continue;  // not bound yet, or just ended
            matching++;
            t->python = &state;
        }
        python_.check_layout(matching);
    }
    void look(ThreadRecord& t) {
        uint64_t t_ns = now_ns();
        if (t.gone || t.looked_ns > now_) return;
        bool same = threads_.read_schedstat(t) && t.settled && t.now.slices == t.look_slices && t.now.run_ns == t.look_run;
        same &= !t.python || t.look_had_python;  // else Python was found meanwhile
        if (t.gone || (!same && !look_afresh(t, t_ns))) return;
        LookRow& row = t.look;
        row.t_ns = t_ns, row.thread = t.number;
        row.weight_ns = static_cast<uint32_t>(std::min<uint64_t>(t_ns - std::min(t_ns, t.looked_ns), 4 * kSecond));
        t.looked_ns = t_ns;
        bool holds = t.python && python_.holds_gil(*t.python) && !t.in_gil_wait;
        bool collects = t.python && python_.collects_garbage(*t.python);
        row.flags = (t.in_gil_wait ? 1 : 0) | (holds ? 2 : 0) | (same ? 4 : 0) | (collects ? 8 : 0);
        row.faults = same ? 0 : static_cast<uint16_t>(std::min<uint64_t>(t.now.minflt - t.look_minflt, 0xFFFF));
        t.look_minflt = t.now.minflt;
        uint32_t owner = t.in_gil_wait ? python_.gil_holder() : mutex_owner(row);  // the GIL's as the round began
        ThreadRecord* holder = owner ? threads_.by_native_id(owner) : nullptr;
        row.holder = holder && holder != &t ? holder->number : kNone;
        made_.row<72>(Table::looks, row);
        probe_.look_at_operations(t.probe, row.op_seq, t.number, t_ns);
        stats_.looks++, stats_.reused += same, stats_.by_status[row.py_status]++;
    }
    uint32_t mutex_owner(const LookRow& row) const {  // glibc keeps it beside the word that waiters sleep on; 0: no mutex
        bool waits_for_mutex = row.syscall == SYS_futex && (row.arg1 & 0x7F) == FUTEX_WAIT && row.arg2 == 2;
        return waits_for_mutex ? memory_.get_or_zero<uint32_t>(row.arg0 + 8) : 0;
    }
    bool look_afresh(ThreadRecord& t, uint64_t t_ns) {
        LookRow& row = t.look;
        t.look_run = t.now.run_ns, t.look_slices = t.now.slices, t.look_had_python = t.python;
        ProbePosition position = probe_.position(t.probe, t.ns_tid, now_);
        t.settled = false;
        if (!threads_.read_stat(t, t.stat)) return false;
        other_image_ = is_other_image(t.stat.image);
        if (other_image_) return false;
        row.state = t.stat.state, row.scope_node = position.node_line, row.op_seq = position.op_seq;
        t.files.read_syscall(row);
        StackStatus status = t.python ? python_.read_stack(t.hints, *t.python, t_ns, frames_) : StackStatus::none;
        row.py_status = static_cast<uint8_t>(status), row.py_stack = kNone;
        for (size_t f = t.python ? frames_.size() : 0; f-- > 0;) row.py_stack = stacks_.push(row.py_stack, frames_[f]);
        t.in_gil_wait = t.python && row.syscall == SYS_futex && python_.in_gil(row.arg0);
        row.resource = resources_.of(row.syscall, row.arg0);
        t.settled = row.state != 'R' && row.syscall != -2 && status <= StackStatus::ok;
        if (t.name != t.stat.name) threads_.write(t);
        return true;
    }
    // ---- totals, by the clock ----
    void totals() {
        uint64_t now = now_ns();
        if (second_.due(now)) second_.run(kSecond, budget_ / 8, [&] { each_second(30); });
        if (quarter_.due(now)) quarter_.run(240 * kMillisecond, budget_ / 8, [&] { threads_.write_all_counters(false); });
    }
    void each_second(size_t status_files) {
        made_.row<32>(Table::anchors, take_anchor());
        threads_.read_switches(status_files);
    }
    void finish() {  // the last totals
        now_ = now_ns();
        gone_ = gone_ || !alive();
        if (gone_) threads_.end_all(now_);
        each_second(threads_.size());
        threads_.write_all_counters(true);
        stats_.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        publish();
    }
    void publish() {
        stats_.dropped_looks += made_.publish();
        stats_.mean_interval_ns = static_cast<uint64_t>(governor_.mean_ns());
        stats_.threads = threads_.size(), stats_.gone = gone_;
        stats_.probe = probe_.stats(), stats_.python = python_.found();
        std::lock_guard<std::mutex> hold(mutex_);
        published_ = stats_;
    }
    const SamplerOptions options_;
    const FindPython find_python_;
    TargetMemory memory_;
    ProcDirectory proc_;
    Tables made_;
    StackTable stacks_;
    PythonProcess python_;
    ResourceTable resources_;
    ProbeReader probe_;
    ThreadTable threads_;
    Governor governor_;
    std::atomic<double> budget_;
    std::mt19937_64 random_;
    uint32_t process_ = 0, processes_ = 0;  // the number is also that of its exec: there is one pid
    uint64_t start_ticks_ = 0, started_ns_ = 0, process_ns_ = 0, now_ = 0, relist_ns_ = 0;
    long ns_pid_ = 0;
    std::string exe_, described_;
    ImagePlace image_;
    bool threads_changed_ = true, other_image_ = false, gone_ = false;
    Pace attach_, probe_scan_, second_, quarter_;
    size_t turn_ = 0, busy_turn_ = 0;  // of the thread looked at last
    std::vector<uint32_t> frames_;
    std::thread thread_;
    SamplerStats stats_;  // the sampler thread's own
    std::mutex mutex_;    // guards what follows
    std::condition_variable stop_;
    bool stopping_ = false;
    SamplerStats published_;
};
}  // namespace storeprof
