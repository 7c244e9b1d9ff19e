#include "batching/cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Newest observations count for a tenth once there are enough of them.
constexpr double kMinWeight = 0.1;
constexpr double kQuantile = 0.95;
// A run that was preempted says little about the model: it counts for this many means at most.
constexpr double kOutlier = 8;
// Fewer rows must be this much cheaper per row before the rest is left waiting for the next run.
constexpr double kClearlyBetter = 0.93;
// Seeds come from a file: beyond these they are no measurements, and would overflow.
constexpr double kMostRows = 1e9;
constexpr double kLongestRun = 86'400e9;

}  // namespace

size_t CostModel::BucketOf(int64_t rows) noexcept {
  const auto size = static_cast<uint64_t>(std::max<int64_t>(rows, 1));
  return std::min<size_t>(static_cast<size_t>(std::bit_width(size - 1)), kBuckets - 1);
}

void CostModel::Observe(int64_t rows, Nanos cost) noexcept {
  Bucket& bucket = buckets_[BucketOf(rows)];
  const uint64_t samples = bucket.samples.load(kRelaxed);
  const double mean = bucket.mean.load(kRelaxed);
  const double high = bucket.high.load(kRelaxed);
  const double time = mean == 0 ? static_cast<double>(cost)
                                : std::min(static_cast<double>(cost), kOutlier * mean);
  const double weight = std::max(1.0 / static_cast<double>(samples + 1), kMinWeight);
  const double average = bucket.rows.load(kRelaxed);
  bucket.rows.store(average + weight * (static_cast<double>(rows) - average), kRelaxed);
  bucket.mean.store(mean + weight * (time - mean), kRelaxed);
  // Stochastic approximation of the quantile: up by p for each value above, down by 1 - p for each
  // below, in steps that follow the scale of the values.
  const double step = weight * std::max(mean, 1.0);
  const double moved = samples == 0 ? time
                                    : high + step * (time > high ? kQuantile : kQuantile - 1);
  bucket.high.store(std::max(moved, bucket.mean.load(kRelaxed)), kRelaxed);
  bucket.samples.store(samples + 1, kRelaxed);
}

void CostModel::Seed(const Point& point) noexcept {
  const bool valid = point.rows >= 1 && point.rows <= kMostRows && point.mean > 0 &&
                     point.high >= point.mean && point.high <= kLongestRun;
  if (!valid) return;
  Bucket& bucket = buckets_[BucketOf(static_cast<int64_t>(std::lround(point.rows)))];
  bucket.rows.store(point.rows, kRelaxed);
  bucket.mean.store(point.mean, kRelaxed);
  bucket.high.store(point.high, kRelaxed);
  bucket.samples.store(1, kRelaxed);
}

bool CostModel::empty() const noexcept {
  return std::ranges::none_of(buckets_, [](const Bucket& b) { return b.samples.load(kRelaxed) != 0; });
}

Nanos CostModel::Predict(int64_t rows, std::atomic<double> Bucket::* value) const noexcept {
  const auto wanted = static_cast<double>(std::max<int64_t>(rows, 1));
  double low_rows = 0;
  double low = 0;
  double slope = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.samples.load(kRelaxed) == 0) continue;
    const double here = bucket.rows.load(kRelaxed);
    const double cost = std::max((bucket.*value).load(kRelaxed), low);
    if (low_rows > 0 && here > low_rows) slope = (cost - low) / (here - low_rows);
    if (here >= wanted) {
      // Below the smallest measured size nothing says that fewer rows cost less.
      if (low_rows == 0) return static_cast<Nanos>(cost);
      return static_cast<Nanos>(low + slope * (wanted - low_rows));
    }
    low_rows = here;
    low = cost;
  }
  if (low_rows == 0) return 0;
  // Beyond the largest: at the last slope, or in proportion where there is only one point.
  if (slope == 0) slope = low / low_rows;
  return static_cast<Nanos>(low + slope * (wanted - low_rows));
}

int64_t CostModel::BestRows(int64_t available, int64_t padded) const noexcept {
  const Nanos all = Mean(padded);
  if (all == 0 || available < 2) return available;
  int64_t best = available;
  double cheapest = kClearlyBetter * static_cast<double>(all) / static_cast<double>(available);
  for (size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i].samples.load(kRelaxed) == 0) continue;
    const auto rows = static_cast<int64_t>(buckets_[i].rows.load(kRelaxed));
    if (rows < 1 || rows >= available) continue;
    const double per_row = static_cast<double>(Mean(rows)) / static_cast<double>(rows);
    if (per_row < cheapest) {
      cheapest = per_row;
      best = rows;
    }
  }
  return best;
}

std::vector<CostModel::Point> CostModel::Read() const {
  std::vector<Point> points;
  for (const Bucket& bucket : buckets_) {
    const uint64_t samples = bucket.samples.load(kRelaxed);
    if (samples == 0) continue;
    points.push_back({bucket.rows.load(kRelaxed), bucket.mean.load(kRelaxed),
                      bucket.high.load(kRelaxed), samples});
  }
  return points;
}

}  // namespace millrace
