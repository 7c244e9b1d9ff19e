// Learns whether the clients of a batch send their next requests as soon as they have their results.
#pragma once

#include <algorithm>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

// WHY Clients that wait for a result before they send the next request (every load generator, every pool of
// workers) form two groups if batches always run at once: while the batch of one group runs, the results of the
// other are on their way, so each run serves half the clients. To wait a moment after a batch has ended merges
// the groups for good. Requests that arrive independently of results must never wait.
//
// HOW After each completion a window opens, a fifth of the run's time long. The excess is the number of arrivals
// in it beyond those that the long-run rate explains, which the completion has caused. The model learns the excess
// for each completed request, which is the share of clients that come back at once, so that it applies to batches
// of any size. It is zero for Poisson arrivals.
//
// Why these numbers: .github/decisions/0003-waiting-for-clients-that-come-back.md
//
// Not thread-safe: only the worker that forms a batch uses it.
class ArrivalModel {
 public:
  // Records that a request was submitted at `time`. Times may be slightly out of order.
  void Arrived(Nanos time) noexcept {
    ++since_completion_;
    if (time > window_start_ && time <= window_end_) ++in_window_;
  }

  // Records that a batch of `requests` requests ended at `now` after a run of `cost`.
  void Completed(Nanos now, Nanos cost, size_t requests) noexcept {
    Learn(now);
    window_start_ = now;
    window_end_ = now + cost / kWindowDivisor;
    completed_ = static_cast<double>(requests);
    in_window_ = 0;
    since_completion_ = 0;
  }

  Nanos window_end() const noexcept { return window_end_; }
  // The requests that have arrived in the current window so far.
  double arrived() const noexcept { return in_window_; }
  // The requests expected in the current window, and those of them beyond the long-run rate.
  double expected() const noexcept { return arriving_ * completed_; }
  double excess() const noexcept { return returning_ * completed_; }
  // The share of clients that come back within the window, 0 to 1.
  double returning() const noexcept { return std::max(returning_, 0.0); }
  // The long-run rate of arrivals per nanosecond.
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
    const double share = in_window_ / completed_;
    const double caused = (in_window_ - explained) / completed_;
    arriving_ += kWeight * (std::min(share, 1.0) - arriving_);
    returning_ += kWeight * (std::clamp(caused, -1.0, 1.0) - returning_);
  }

  uint64_t since_completion_ = 0;
  double mean_gap_ = 0;
  double mean_count_ = 0;
  double rate_ = 0;
  Nanos window_start_ = 0;
  Nanos window_end_ = 0;
  double completed_ = 1;
  double in_window_ = 0;
  double arriving_ = 0;
  double returning_ = 0;
};

}  // namespace millrace
