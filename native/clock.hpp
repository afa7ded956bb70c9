// Clocks, the anchors between them, and how often the sampler may look and do all else.
#pragma once
#include <algorithm>
#include <cmath>
#include "journal_tables.hpp"
namespace storeprof {
constexpr uint64_t kMillisecond = 1'000'000, kSecond = 1'000'000'000;
inline uint64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<uint64_t>(t.tv_sec) * kSecond + t.tv_nsec;
}
#if defined(__x86_64__)
inline uint64_t read_ticks() { return __builtin_ia32_rdtsc(); }
#else
inline uint64_t read_ticks() { return now_ns(); }
#endif
// One moment on all clocks: what the probe's ticks are turned into nanoseconds by, when a recording is finished.
struct Anchor { uint64_t ticks = 0, monotonic_ns = 0, boottime_ns = 0, realtime_ns = 0; };
inline Anchor take_anchor() {
    Anchor best;
    uint64_t tightest = ~0ull;
    for (int i = 0; i < 5; i++) {  // the tick between the two closest clock reads
        uint64_t before = now_ns(), ticks = read_ticks(), after = now_ns();
        if (after - before < tightest) best = {ticks, before + (after - before) / 2}, tightest = after - before;
    }
    uint64_t since = now_ns() - best.monotonic_ns;
    best.boottime_ns = now_ns(CLOCK_BOOTTIME) - since;
    best.realtime_ns = now_ns(CLOCK_REALTIME) - since;
    return best;
}
// Something done every `period_ns`, and less often when it is so dear that it would use over `share` of the time.
class Pace {
  public:
    bool due(uint64_t now) const { return now >= next_; }
    template <class Work> void run(uint64_t period_ns, double share, Work&& work) {
        uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        work();
        uint64_t cost = now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        next_ = now_ns() + std::max<uint64_t>(period_ns, static_cast<uint64_t>(double(cost) / share));
    }
    void restart() { next_ = 0; }
  private:
    uint64_t next_ = 0;
};
// From what a look has cost of late, all else included: first a longer mean interval (up to three times the wanted one),
// then fewer threads at each round, in turn, whose looks then stand for longer; a longer interval again at last.
class Governor {
  public:
    // Aims below the budget: the Python side of a recording needs a sixth of it with threads by the hundred.
    explicit Governor(uint64_t wanted_ns) : wanted_(double(wanted_ns)), mean_(wanted_) {}
    double mean_ns() const { return mean_; }
    size_t threads_per_round() const { return at_once_; }
    void set_budget(double budget) { budget_ = 0.8 * budget; }
    void account(double cost_ns, size_t looks, size_t threads, uint64_t since_start, uint64_t spent_ns) {
        double keep = std::exp(-double(since_start - last_) / kWindow);
        allowed_ns_ += budget_ * double(since_start - last_);  // the budget may change on the way
        last_ = since_start;
        cost_ = cost_ * keep + cost_ns;
        looks_ = looks_ * keep + double(looks);
        // What was overspent (at the start, say) is saved again within about a second.
        double debt_s = (double(spent_ns) - allowed_ns_) / budget_ / double(kSecond);
        double interval = cost_ / std::max(looks_, 1.0) / (budget_ * std::clamp(1 - debt_s, 0.4, 1.0));  // for each look
        double count = double(std::max<size_t>(threads, 1));
        double fewest = std::min(count, std::ceil(count / 8) + 1);  // every round has a cost of its own, which grows with their number
        at_once_ = static_cast<size_t>(std::clamp(3 * wanted_ / interval, fewest, count));
        mean_ = std::clamp(interval * double(at_once_), wanted_, std::max(wanted_, 0.2 * kSecond));
    }
  private:
    static constexpr double kWindow = 2.0 * kSecond;
    double wanted_, budget_ = 0, mean_, allowed_ns_ = 0, looks_ = 80, cost_ = 80 * 30e3;  // as measured on a slow machine
    size_t at_once_ = ~size_t{0};
    uint64_t last_ = 0;
};
}  // namespace storeprof
