// The run time of a model, learnt from its runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// The run time of one model on one device, for one length bucket, as a function of the rows in the batch.
//
// HOW Batch sizes fall into size classes, one for each power of two. A size class keeps the moving average of its
// batch sizes and of their run times, and a moving 95th percentile of the times. Predictions interpolate between the
// measured size classes, and never let more rows cost less.
//
// THREADS One thread at a time calls Observe or Seed; any number of threads may call the other methods.
class CostModel {
 public:
  struct Point {
    double rows = 0;
    double mean = 0;  // nanoseconds
    double high = 0;  // nanoseconds, 95th percentile
    uint64_t samples = 0;
  };

  // Records a run of `rows` rows that took `cost`.
  void Observe(int64_t rows, Nanos cost) noexcept;
  // Starts from a cost that an earlier process has measured. New measurements soon outweigh it. A point that cannot
  // be a measurement is ignored.
  void Seed(const Point& point) noexcept;

  bool empty() const noexcept;
  // Returns whether a run of about `rows` rows has been measured.
  bool Knows(int64_t rows) const noexcept;
  // Returns the expected run time of `rows` rows; 0 while nothing has been measured.
  Nanos Mean(int64_t rows) const noexcept { return Predict(rows, &SizeClass::mean); }
  // Returns the 95th percentile of the run time of `rows` rows; 0 while nothing has been measured.
  Nanos High(int64_t rows) const noexcept { return Predict(rows, &SizeClass::high); }

  // Returns the batch size, at most `available`, that makes the best use of a worker: all rows, unless fewer cost
  // clearly less per row.
  int64_t BestRows(int64_t available) const noexcept { return BestRows(available, available); }
  // The same if all of them together would be padded to `padded` rows.
  int64_t BestRows(int64_t available, int64_t padded) const noexcept;

  // Returns the measured size classes, smallest first.
  std::vector<Point> Read() const;

 private:
  static constexpr size_t kSizeClasses = 32;
  struct SizeClass {
    std::atomic<double> rows{0};
    std::atomic<double> mean{0};
    std::atomic<double> high{0};
    std::atomic<uint64_t> samples{0};
  };

  static size_t SizeClassOf(int64_t rows) noexcept;
  Nanos Predict(int64_t rows, std::atomic<double> SizeClass::* value) const noexcept;

  std::array<SizeClass, kSizeClasses> size_classes_;
};

}  // namespace millrace
