// Clocks, the anchors that turn ticks into nanoseconds, and pacing by cost.
#pragma once

#include <time.h>

#include <algorithm>
#include <deque>

#include "journal_tables.hpp"

namespace storeprof {

constexpr uint64_t kMillisecond = 1'000'000, kSecond = 1'000'000'000;

inline uint64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<uint64_t>(t.tv_sec) * kSecond + t.tv_nsec;
}
inline uint64_t read_ticks() {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return now_ns();
#endif
}

struct Anchor { uint64_t ticks = 0, monotonic_ns = 0, boottime_ns = 0, realtime_ns = 0; };

// Ticks -> CLOCK_MONOTONIC by the line through the oldest and the newest of the last anchors.
class TickClock {
  public:
    Anchor take_anchor() {
        Anchor best;
        uint64_t tightest = ~0ull;
        for (int i = 0; i < 5; i++) {  // the tick between the two closest clock reads
            uint64_t before = now_ns(), ticks = read_ticks(), after = now_ns();
            if (after - before < tightest) best = {ticks, before + (after - before) / 2}, tightest = after - before;
        }
        uint64_t since = now_ns() - best.monotonic_ns;
        best.boottime_ns = now_ns(CLOCK_BOOTTIME) - since;
        best.realtime_ns = now_ns(CLOCK_REALTIME) - since;
        anchors_.push_back(best);
        if (anchors_.size() > 16) anchors_.pop_front();
        return best;
    }
    // The program's own first anchor lengthens the line while there is little of ours.
    void add_older(uint64_t ticks, uint64_t monotonic_ns) {
        if (!anchors_.empty() && ticks < anchors_.front().ticks && monotonic_ns < anchors_.front().monotonic_ns)
            anchors_.push_front({ticks, monotonic_ns});
    }
    bool known() const { return anchors_.size() > 1; }
    double ns_per_tick() const {
        if (!known()) return 1.0;
        auto &a = anchors_.front(), &b = anchors_.back();
        double slope = double(b.monotonic_ns - a.monotonic_ns) / double(b.ticks - a.ticks);
        return slope > 1e-3 && slope < 1e3 ? slope : 1.0;
    }
    uint64_t to_monotonic(uint64_t ticks) const {
        auto& last = anchors_.back();
        double ns = double(last.monotonic_ns) + double(int64_t(ticks - last.ticks)) * ns_per_tick();
        return static_cast<uint64_t>(std::max(0.0, ns));
    }

  private:
    std::deque<Anchor> anchors_;
};

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

}  // namespace storeprof
