#include "batching/histogram.h"

#include <gtest/gtest.h>

#include <thread>

namespace millrace {
namespace {

using Counts = std::vector<uint64_t>;

const std::vector<double> kBounds = {0.001, 0.01, 0.1};

TEST(Histogram, IsEmptyAtFirst) {
  const auto snapshot = Histogram(kBounds).Read();
  EXPECT_EQ(snapshot.bounds, kBounds);
  EXPECT_EQ(snapshot.counts, (Counts{0, 0, 0}));
  EXPECT_EQ(snapshot.count, 0u);
  EXPECT_EQ(snapshot.sum, 0);
}

TEST(Histogram, CountsAreCumulativeAndBoundsInclusive) {
  Histogram histogram(kBounds);
  histogram.Observe(1'000'000);    // exactly the first bound
  histogram.Observe(1'000'001);    // just beyond it
  histogram.Observe(50'000'000);
  histogram.Observe(100'000'000);  // exactly the last bound
  histogram.Observe(5'000'000'000);
  const auto snapshot = histogram.Read();
  EXPECT_EQ(snapshot.counts, (Counts{1, 2, 4}));
  EXPECT_EQ(snapshot.count, 5u);
  EXPECT_DOUBLE_EQ(snapshot.sum, 5.152000001);
}

TEST(Histogram, ANegativeDurationCountsAsZero) {
  Histogram histogram(kBounds);
  histogram.Observe(-5);
  const auto snapshot = histogram.Read();
  EXPECT_EQ(snapshot.counts, (Counts{1, 1, 1}));
  EXPECT_EQ(snapshot.sum, 0);
}

TEST(Histogram, CountsWithoutBounds) {
  Histogram histogram(std::vector<double>{});
  histogram.Observe(5);
  EXPECT_EQ(histogram.Read().counts, Counts{});
  EXPECT_EQ(histogram.Read().count, 1u);
}

TEST(Histogram, WithoutBoundsCountsUpAndDownByAnyNumber) {
  Histogram histogram(std::vector<double>{});
  histogram.Count(1'000'000'000'000);
  histogram.Count(-999'999'999'999);
  EXPECT_EQ(histogram.Read().count, 1u);
  EXPECT_EQ(histogram.Read().sum, 0);
}

TEST(Histogram, DurationBoundsAscend) {
  EXPECT_TRUE(std::ranges::is_sorted(DurationBounds()));
  EXPECT_EQ(std::ranges::adjacent_find(DurationBounds()), DurationBounds().end());
}

TEST(Histogram, SeveralWritersLoseNothingAndReadersNeverSeeItDecrease) {
  constexpr int kWriters = 3;
  constexpr uint64_t kEach = 20'000;
  Histogram histogram(kBounds);
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&] {
      for (uint64_t n = 0; n < kEach; ++n) histogram.Observe(static_cast<Nanos>(n % 4) * 5'000'000);
    });
  }
  Counts last(kBounds.size(), 0);
  for (uint64_t count = 0; count < kWriters * kEach;) {
    const auto snapshot = histogram.Read();
    EXPECT_GE(snapshot.count, count);
    for (size_t i = 0; i < last.size(); ++i) EXPECT_GE(snapshot.counts[i], last[i]);
    last = snapshot.counts;
    count = snapshot.count;
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(histogram.Read().counts, (Counts{15'000, 45'000, 60'000}));
  EXPECT_DOUBLE_EQ(histogram.Read().sum, 450);
}

}  // namespace
}  // namespace millrace
