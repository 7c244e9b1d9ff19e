#include "batching/cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// The weight of a new observation, once there are enough of them.
constexpr double kMinWeight = 0.1;
constexpr double kQuantile = 0.95;
// A run that was preempted says little about the model, so that it counts at most as this many times the mean.
constexpr double kOutlier = 8;
// The other rows wait for the next run only if fewer rows cost at most this share of the cost per row.
constexpr double kClearlyBetter = 0.93;
// Seeds come from a file. Larger values cannot be measurements, and would overflow.
constexpr double kMostRows = 1e9;
constexpr double kLongestRun = 86'400e9;

}  // namespace

size_t CostModel::SizeClassOf(int64_t rows) noexcept {
  const auto size = static_cast<uint64_t>(std::max<int64_t>(rows, 1));
  return std::min<size_t>(static_cast<size_t>(std::bit_width(size - 1)), kSizeClasses - 1);
}

void CostModel::Observe(int64_t rows, Nanos cost) noexcept {
  SizeClass& size_class = size_classes_[SizeClassOf(rows)];
  const uint64_t samples = size_class.samples.load(kRelaxed);
  const double mean = size_class.mean.load(kRelaxed);
  const double high = size_class.high.load(kRelaxed);
  const double time = mean == 0 ? static_cast<double>(cost)
                                : std::min(static_cast<double>(cost), kOutlier * mean);
  const double weight = std::max(1.0 / static_cast<double>(samples + 1), kMinWeight);
  const double average = size_class.rows.load(kRelaxed);
  size_class.rows.store(average + weight * (static_cast<double>(rows) - average), kRelaxed);
  size_class.mean.store(mean + weight * (time - mean), kRelaxed);
  // This is a stochastic approximation of the quantile p: it goes up by p for each value above it and down by 1 - p
  // for each value below, in steps that follow the scale of the values.
  const double step = weight * std::max(mean, 1.0);
  const double moved = samples == 0 ? time
                                    : high + step * (time > high ? kQuantile : kQuantile - 1);
  size_class.high.store(std::max(moved, size_class.mean.load(kRelaxed)), kRelaxed);
  size_class.samples.store(samples + 1, kRelaxed);
}

void CostModel::Seed(const Point& point) noexcept {
  const bool valid = point.rows >= 1 && point.rows <= kMostRows && point.mean > 0 &&
                     point.high >= point.mean && point.high <= kLongestRun;
  if (!valid) return;
  SizeClass& size_class = size_classes_[SizeClassOf(static_cast<int64_t>(std::lround(point.rows)))];
  size_class.rows.store(point.rows, kRelaxed);
  size_class.mean.store(point.mean, kRelaxed);
  size_class.high.store(point.high, kRelaxed);
  size_class.samples.store(1, kRelaxed);
}

bool CostModel::empty() const noexcept {
  return std::ranges::none_of(size_classes_, [](const SizeClass& b) { return b.samples.load(kRelaxed) != 0; });
}

bool CostModel::Knows(int64_t rows) const noexcept {
  return size_classes_[SizeClassOf(rows)].samples.load(kRelaxed) != 0;
}

Nanos CostModel::Predict(int64_t rows, std::atomic<double> SizeClass::* value) const noexcept {
  const auto wanted = static_cast<double>(std::max<int64_t>(rows, 1));
  double low_rows = 0;
  double low = 0;
  double slope = 0;
  for (const SizeClass& size_class : size_classes_) {
    if (size_class.samples.load(kRelaxed) == 0) continue;
    const double here = size_class.rows.load(kRelaxed);
    const double cost = std::max((size_class.*value).load(kRelaxed), low);
    if (low_rows > 0 && here > low_rows) slope = (cost - low) / (here - low_rows);
    if (here >= wanted) {
      // Nothing is known about fewer rows than were measured, so they are expected to cost as much.
      if (low_rows == 0) return static_cast<Nanos>(cost);
      return static_cast<Nanos>(low + slope * (wanted - low_rows));
    }
    low_rows = here;
    low = cost;
  }
  if (low_rows == 0) return 0;
  // Beyond the largest measured size the last slope goes on. With one point the cost is proportional to the rows.
  if (slope == 0) slope = low / low_rows;
  return static_cast<Nanos>(low + slope * (wanted - low_rows));
}

int64_t CostModel::BestRows(int64_t available, int64_t padded) const noexcept {
  const Nanos all = Mean(padded);
  if (all == 0 || available < 2) return available;
  int64_t best = available;
  double cheapest = kClearlyBetter * static_cast<double>(all) / static_cast<double>(available);
  for (size_t i = 0; i < kSizeClasses; ++i) {
    if (size_classes_[i].samples.load(kRelaxed) == 0) continue;
    const auto rows = static_cast<int64_t>(size_classes_[i].rows.load(kRelaxed));
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
  for (const SizeClass& size_class : size_classes_) {
    const uint64_t samples = size_class.samples.load(kRelaxed);
    if (samples == 0) continue;
    points.push_back({size_class.rows.load(kRelaxed), size_class.mean.load(kRelaxed),
                      size_class.high.load(kRelaxed), samples});
  }
  return points;
}

}  // namespace millrace
