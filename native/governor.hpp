// How often the sampler may look, and at how many threads, to stay within its share of a CPU.
#pragma once

#include <cmath>

#include "clock.hpp"

namespace storeprof {

// A longer mean interval first (up to three times the wanted one), then only a random part of the threads at each
// round, whose looks then stand for longer.
class Governor {
  public:
    struct Round { double fixed_ns, looks_ns, totals_ns; size_t looked, threads; uint64_t now, started, spent_ns; };

    Governor(uint64_t wanted_ns, double budget) : wanted_(double(wanted_ns)), budget_(0.9 * budget), mean_(wanted_) {}
    double mean_ns() const { return mean_; }
    double fraction() const { return fraction_; }
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
        mean_ = std::max(wanted_, (fixed_ + all) / budget), fraction_ = 1;
        if (mean_ <= widest) return;
        mean_ = std::min(std::max(widest, 4 * fixed_ / budget), 200.0 * kMillisecond);
        fraction_ = std::clamp((budget * mean_ - fixed_) / all, 1.0 / 256, 1.0);
    }

  private:
    static constexpr double kShare = 1.0 / 32, kWindow = 2.0 * kSecond;
    double wanted_, budget_, mean_, fraction_ = 1, totals_ = 0;
    double per_look_ = 15'000, fixed_ = 20'000;  // ns of CPU, as measured on a slow machine
    uint64_t last_ = 0;
};

}  // namespace storeprof
