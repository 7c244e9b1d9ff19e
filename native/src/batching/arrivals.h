// Learns whether the clients of a batch come back as soon as they are answered.
#pragma once

#include <algorithm>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

// WHY Clients that wait for an answer before they ask again (every load generator, every pool of
// workers) split into two cohorts under plain batching while busy: one batch runs while the answers
// of the other travel, so each run serves half the clients. Waiting a moment after a batch has ended
// merges them for good. Traffic that arrives on its own must never wait.
//
// HOW After each completion a window opens, a fifth of the run's time long. Arrivals in it beyond
// what the long-run rate explains are the excess: arrivals that the completion caused. The model
// learns the excess per answered request, the share of clients that come back at once, so that it
// holds for batches of any size. Poisson traffic has none.
//
// The numbers: .github/decisions/0003-waiting-for-clients-that-come-back.md
//
// Not thread-safe: only the worker that forms a batch touches it.
class ArrivalModel {
 public:
  // A request was submitted at `time`. Times may come slightly out of order.
  void Arrived(Nanos time) noexcept {
    ++since_completion_;
    if (time > window_start_ && time <= window_end_) ++in_window_;
  }

  // A batch of `requests` ended at `now` after running for `cost`.
  void Completed(Nanos now, Nanos cost, size_t requests) noexcept {
    Learn(now);
    window_start_ = now;
    window_end_ = now + cost / kWindowDivisor;
    answered_ = static_cast<double>(requests);
    in_window_ = 0;
    since_completion_ = 0;
  }

  Nanos window_end() const noexcept { return window_end_; }
  // Requests that have arrived in the current window so far.
  double arrived() const noexcept { return in_window_; }
  // Requests expected in the current window, and how many of them beyond the long-run rate.
  double expected() const noexcept { return arriving_ * answered_; }
  double excess() const noexcept { return returning_ * answered_; }
  // Share of answered clients that come back within the window, 0 to 1.
  double returning() const noexcept { return std::max(returning_, 0.0); }
  // Long-run arrivals per nanosecond.
  double rate() const noexcept { return rate_; }

 private:
  static constexpr Nanos kWindowDivisor = 5;
  static constexpr double kWeight = 0.1;
  // The rate is averaged over about this many completions.
  static constexpr double kRateWeight = 1.0 / 64;

  void Learn(Nanos now) noexcept {
    if (window_end_ == 0) return;
    mean_gap_ += kRateWeight * (static_cast<double>(now - window_start_) - mean_gap_);
    mean_count_ += kRateWeight * (static_cast<double>(since_completion_) - mean_count_);
    if (mean_gap_ > 0) rate_ = mean_count_ / mean_gap_;
    const double explained = rate_ * static_cast<double>(window_end_ - window_start_);
    const double share = in_window_ / answered_;
    const double caused = (in_window_ - explained) / answered_;
    arriving_ += kWeight * (std::min(share, 1.0) - arriving_);
    returning_ += kWeight * (std::clamp(caused, -1.0, 1.0) - returning_);
  }

  uint64_t since_completion_ = 0;
  double mean_gap_ = 0;
  double mean_count_ = 0;
  double rate_ = 0;
  Nanos window_start_ = 0;
  Nanos window_end_ = 0;
  double answered_ = 1;
  double in_window_ = 0;
  double arriving_ = 0;
  double returning_ = 0;
};

}  // namespace millrace
