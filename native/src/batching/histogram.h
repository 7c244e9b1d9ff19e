// A histogram that all threads write and read without locks.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// Returns the upper bounds, in seconds, of the cells of histograms of queue and run times.
inline const std::vector<double>& DurationBounds() {
  static const std::vector<double> bounds = {
      0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
      0.01,     0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   5, 10};
  return bounds;
}

// A histogram has a cell for each range of durations between two bounds, and one above the last bound. Readers may see
// an observation in its cell before they see it in the sum. Each value is exact once writers pause, and never decreases.
class Histogram {
 public:
  struct Snapshot {
    std::vector<double> bounds;
    // counts[i] observations were at most bounds[i].
    std::vector<uint64_t> counts;
    uint64_t count = 0;
    double sum = 0;
  };

  explicit Histogram(std::span<const double> bounds_in_seconds)
      : bounds_(bounds_in_seconds.begin(), bounds_in_seconds.end()), cells_(bounds_.size() + 1) {}

  // Counts one observation. Lock-free.
  void Observe(Nanos duration) noexcept {
    const double seconds = static_cast<double>(duration) * 1e-9;
    const auto cell = std::ranges::lower_bound(bounds_, seconds) - bounds_.begin();
    cells_[static_cast<size_t>(cell)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(static_cast<uint64_t>(std::max<Nanos>(duration, 0)), std::memory_order_relaxed);
  }

  // Adds `times`, which may be negative, to the cell above all bounds, without a share in the sum. A histogram without
  // bounds is a counter. Lock-free.
  void Count(int64_t times) noexcept {
    cells_.back().fetch_add(static_cast<uint64_t>(times), std::memory_order_relaxed);
  }

  Snapshot Read() const {
    Snapshot snapshot{bounds_, {}, 0, 0};
    snapshot.counts.reserve(bounds_.size());
    for (size_t i = 0; i < cells_.size(); ++i) {
      snapshot.count += cells_[i].load(std::memory_order_relaxed);
      if (i < bounds_.size()) snapshot.counts.push_back(snapshot.count);
    }
    snapshot.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) * 1e-9;
    return snapshot;
  }

 private:
  const std::vector<double> bounds_;
  // A cell counts the observations in its own range only.
  std::vector<std::atomic<uint64_t>> cells_;
  std::atomic<uint64_t> sum_{0};
};

}  // namespace millrace
