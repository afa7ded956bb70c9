// How often the sampler may look, and at how many threads, to stay within its share of a CPU.
#pragma once

#include <cmath>

#include "clock.hpp"

namespace storeprof {

// From what a look has cost of late, all else included: first a longer mean interval (up to three times the wanted one),
// then fewer threads at each round, in turn, whose looks then stand for longer; a longer interval again at last.
class Governor {
  public:
    // Aims below the budget: the Python side of a recording needs a tenth of it.
    Governor(uint64_t wanted_ns, double budget) : wanted_(double(wanted_ns)), budget_(0.85 * budget), mean_(wanted_) {}
    double mean_ns() const { return mean_; }
    size_t threads_per_round() const { return at_once_; }
    void account(double cost_ns, size_t looks, size_t threads, uint64_t since_start, uint64_t spent_ns) {
        double keep = std::exp(-double(since_start - last_) / kWindow);
        last_ = since_start;
        cost_ = cost_ * keep + cost_ns;
        looks_ = looks_ * keep + double(looks);
        // What was overspent (at the start, say) is saved again within about a second.
        double debt_s = (double(spent_ns) / budget_ - double(since_start)) / double(kSecond);
        double interval = cost_ / std::max(looks_, 1.0) / (budget_ * std::clamp(1 - debt_s, 0.4, 1.0));  // for each look
        double count = double(std::max<size_t>(threads, 1));
        at_once_ = static_cast<size_t>(std::clamp(3 * wanted_ / interval, 1.0, count));
        mean_ = std::clamp(interval * double(at_once_), wanted_, std::max(wanted_, 0.2 * kSecond));
    }

  private:
    static constexpr double kWindow = 2.0 * kSecond;
    double wanted_, budget_, mean_, looks_ = 200, cost_ = 200 * 25e3;  // as measured on a slow machine
    size_t at_once_ = ~size_t{0};
    uint64_t last_ = 0;
};

}  // namespace storeprof
