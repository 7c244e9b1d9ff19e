// What a run costs, learnt from the runs themselves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// Run time of one model on one device as a function of the rows in the batch.
//
// HOW Batch sizes fall into buckets, one for each power of two. A bucket keeps the moving average of
// its sizes, of their run times, and a moving 95th percentile of the times. Predictions interpolate
// between the buckets that have been measured and never let more rows cost less.
//
// THREADS Observe and Seed are called by one thread at a time; everything else by any.
class CostModel {
 public:
  struct Point {
    double rows = 0;
    double mean = 0;  // nanoseconds
    double high = 0;  // nanoseconds, 95th percentile
    uint64_t samples = 0;
  };

  void Observe(int64_t rows, Nanos cost) noexcept;
  // Starts from what an earlier process has learnt. Measurements soon outweigh it; a point that
  // cannot have been measured is ignored.
  void Seed(const Point& point) noexcept;

  bool empty() const noexcept;
  // Expected run time of `rows` rows; 0 while nothing has been measured.
  Nanos Mean(int64_t rows) const noexcept { return Predict(rows, &Bucket::mean); }
  // A run time that 19 runs of 20 stay under.
  Nanos High(int64_t rows) const noexcept { return Predict(rows, &Bucket::high); }

  // The batch size, at most `available`, that makes the best use of a worker: all rows, unless fewer
  // cost clearly less per row.
  int64_t BestRows(int64_t available) const noexcept { return BestRows(available, available); }
  // The same where all of them would be padded to `padded` rows.
  int64_t BestRows(int64_t available, int64_t padded) const noexcept;

  std::vector<Point> Read() const;

 private:
  static constexpr size_t kBuckets = 32;
  struct Bucket {
    std::atomic<double> rows{0};
    std::atomic<double> mean{0};
    std::atomic<double> high{0};
    std::atomic<uint64_t> samples{0};
  };

  static size_t BucketOf(int64_t rows) noexcept;
  Nanos Predict(int64_t rows, std::atomic<double> Bucket::* value) const noexcept;

  std::array<Bucket, kBuckets> buckets_;
};

}  // namespace millrace
