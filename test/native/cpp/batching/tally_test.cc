#include "batching/tally.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Tally, IsEmptyAtFirst) {
  const Tally tally(8);
  EXPECT_TRUE(tally.Sizes().empty());
  EXPECT_EQ(tally.Requests().count, 0u);
  EXPECT_EQ(tally.last(), 0);
}

TEST(Tally, CountsRunsBySizeAndRequestsWithTheWholeTimeOfTheirRun) {
  Tally tally(8);
  tally.Observe(2, 2, {10, 100, 1}, 500);
  tally.Observe(2, 1, {20, 200, 2}, 600);
  tally.Observe(8, 0, {30, 300, 3}, 700);
  const auto sizes = tally.Sizes();
  ASSERT_EQ(sizes.size(), 2u);
  EXPECT_EQ(sizes[0].rows, 2);
  EXPECT_EQ(sizes[0].runs.count, 2u);
  EXPECT_EQ(sizes[0].runs.parts.input, 30);
  EXPECT_EQ(sizes[0].runs.parts.compute, 300);
  EXPECT_EQ(sizes[0].runs.parts.output, 3);
  EXPECT_EQ(sizes[1].rows, 8);
  EXPECT_EQ(tally.Requests().count, 3u);
  EXPECT_EQ(tally.Requests().parts.compute, 400);
  EXPECT_EQ(tally.last(), 700);
}

TEST(Tally, SizesBeyondTheLargestCountAsTheLargest) {
  Tally tally(int64_t{1} << 40);
  tally.Observe(int64_t{1} << 50, 1, {1, 1, 1}, 1);
  tally.Observe(-5, 1, {1, 1, 1}, 1);
  const auto sizes = tally.Sizes();
  ASSERT_EQ(sizes.size(), 2u);
  EXPECT_EQ(sizes[0].rows, 0);
  EXPECT_EQ(sizes[1].rows, Tally::kMostRows);
}

}  // namespace
}  // namespace millrace
