#include "batching/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>

namespace millrace {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A model that knows these sizes exactly.
struct Known {
  int64_t rows;
  Nanos cost;
};

void Learn(CostModel& model, std::initializer_list<Known> sizes) {
  for (const auto& [rows, cost] : sizes) {
    for (int i = 0; i < 20; ++i) model.Observe(rows, cost);
  }
}

TEST(CostModel, IsEmptyAtFirst) {
  const CostModel model;
  EXPECT_TRUE(model.empty());
  EXPECT_EQ(model.Mean(1), 0);
  EXPECT_EQ(model.High(64), 0);
  EXPECT_EQ(model.BestRows(7), 7);
  EXPECT_TRUE(model.Read().empty());
}

TEST(CostModel, PredictsTheTimeOfTheOnlyRun) {
  CostModel model;
  model.Observe(4, 1000);
  EXPECT_FALSE(model.empty());
  EXPECT_EQ(model.Mean(4), 1000);
  EXPECT_EQ(model.High(4), 1000);
}

TEST(CostModel, FollowsAModelThatBecomesSlower) {
  CostModel model;
  Learn(model, {{4, 1000}});
  for (int i = 0; i < 100; ++i) model.Observe(4, 5000);
  EXPECT_NEAR(static_cast<double>(model.Mean(4)), 5000, 50);
}

TEST(CostModel, ARunOfNoTimeDoesNotKeepTheCostAtZero) {
  CostModel model;
  model.Observe(1, 0);
  for (int i = 0; i < 100; ++i) model.Observe(1, 1000);
  EXPECT_NEAR(static_cast<double>(model.Mean(1)), 1000, 10);
}

TEST(CostModel, AnOutlierCountsAsAtMostEightTimesTheMean) {
  CostModel model;
  Learn(model, {{8, 1000}});
  model.Observe(8, 1'000'000'000);
  EXPECT_LE(model.Mean(8), 1700);
  for (int i = 0; i < 100; ++i) model.Observe(8, 1000);
  EXPECT_NEAR(static_cast<double>(model.Mean(8)), 1000, 10);
}

// What the estimates come to, on average over many runs, for run times drawn by `draw`.
struct Estimate {
  double mean = 0;
  double under_high = 0;  // share of the runs
};

template <class Draw>
Estimate Converge(Draw draw) {
  constexpr int kSettle = 500;
  constexpr int kRuns = 50'000;
  CostModel model;
  Estimate estimate;
  for (int i = 0; i < kSettle + kRuns; ++i) {
    const Nanos cost = draw();
    if (i >= kSettle) {
      EXPECT_GE(model.High(16), model.Mean(16));
      estimate.mean += static_cast<double>(model.Mean(16)) / kRuns;
      estimate.under_high += (cost <= model.High(16) ? 1.0 : 0.0) / kRuns;
    }
    model.Observe(16, cost);
  }
  return estimate;
}

TEST(CostModel, ConvergesOnUniformRunTimes) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> draw(500'000, 1'500'000);
  const Estimate estimate = Converge([&] { return static_cast<Nanos>(draw(random)); });
  EXPECT_NEAR(estimate.mean, 1e6, 1e4);
  EXPECT_NEAR(estimate.under_high, 0.95, 0.02);
}

TEST(CostModel, ConvergesOnRunTimesWithALongTail) {
  std::mt19937_64 random(2);
  std::exponential_distribution<double> draw(1e-6);
  const Estimate estimate = Converge([&] { return static_cast<Nanos>(draw(random)) + 1; });
  EXPECT_NEAR(estimate.mean, 1e6, 2e4);
  EXPECT_NEAR(estimate.under_high, 0.95, 0.02);
}

TEST(CostModel, InterpolatesBetweenMeasuredSizes) {
  CostModel model;
  Learn(model, {{4, 1000}, {16, 2200}});
  EXPECT_EQ(model.Mean(4), 1000);
  EXPECT_EQ(model.Mean(10), 1600);
  EXPECT_EQ(model.Mean(16), 2200);
}

TEST(CostModel, FewerRowsThanMeasuredCostTheSame) {
  CostModel model;
  Learn(model, {{4, 1000}});
  EXPECT_EQ(model.Mean(1), 1000);
  EXPECT_EQ(model.Mean(0), 1000);
  EXPECT_EQ(model.Mean(-5), 1000);
}

TEST(CostModel, MoreRowsThanMeasuredFollowTheLastSlope) {
  CostModel model;
  Learn(model, {{4, 1000}, {16, 2200}});
  EXPECT_EQ(model.Mean(32), 3800);
}

TEST(CostModel, MoreRowsThanTheOnlySizeCostInProportion) {
  CostModel model;
  Learn(model, {{4, 1000}});
  EXPECT_EQ(model.Mean(8), 2000);
}

TEST(CostModel, MoreRowsNeverCostLess) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    CostModel model;
    for (int i = 0; i < 40; ++i) {
      model.Observe(static_cast<int64_t>(random() % 200 + 1), static_cast<Nanos>(random() % 9999 + 1));
    }
    for (int64_t rows = 1; rows < 300; ++rows) {
      ASSERT_LE(model.Mean(rows), model.Mean(rows + 1)) << rows;
      ASSERT_LE(model.High(rows), model.High(rows + 1)) << rows;
    }
  }
}

TEST(CostModel, RunsAllRowsIfTheyShareTheCost) {
  CostModel model;
  Learn(model, {{1, 1000}, {8, 1200}, {32, 2000}});
  for (int64_t rows = 1; rows <= 32; ++rows) EXPECT_EQ(model.BestRows(rows), rows);
}

TEST(CostModel, LeavesRowsWaitingOnlyIfFewerAreClearlyCheaper) {
  CostModel cliff;  // 32 rows no longer fit the cache
  Learn(cliff, {{1, 1000}, {16, 1600}, {32, 8000}});
  EXPECT_EQ(cliff.BestRows(32), 16);
  EXPECT_EQ(cliff.BestRows(16), 16);

  CostModel slightly;  // 5 per cent dearer a row
  Learn(slightly, {{16, 1600}, {32, 3360}});
  EXPECT_EQ(slightly.BestRows(32), 32);
}

TEST(CostModel, StartsFromASeed) {
  CostModel first;
  Learn(first, {{1, 1000}, {8, 1200}, {32, 2000}});
  CostModel second;
  for (const CostModel::Point& point : first.Read()) second.Seed(point);
  for (int64_t rows = 1; rows < 100; ++rows) {
    EXPECT_EQ(second.Mean(rows), first.Mean(rows));
    EXPECT_EQ(second.High(rows), first.High(rows));
  }
}

TEST(CostModel, MeasurementsSoonOutweighASeed) {
  CostModel model;
  model.Seed({8, 1e6, 2e6, 5'000'000});
  for (int i = 0; i < 50; ++i) model.Observe(8, 1000);
  EXPECT_LT(model.Mean(8), 10'000);
}

class BadSeed : public testing::TestWithParam<CostModel::Point> {};

TEST_P(BadSeed, IsIgnored) {
  CostModel model;
  model.Seed(GetParam());
  EXPECT_TRUE(model.empty());
  EXPECT_EQ(model.Mean(8), 0);
}

INSTANTIATE_TEST_SUITE_P(All, BadSeed, testing::Values(
    CostModel::Point{kNaN, 1, 1, 1}, CostModel::Point{8, kNaN, 1, 1},
    CostModel::Point{8, 1, kNaN, 1}, CostModel::Point{0, 1, 1, 1},
    CostModel::Point{-8, 1, 1, 1}, CostModel::Point{8, -1, 1, 1}, CostModel::Point{8, 0, 0, 1},
    CostModel::Point{8, 2, 1, 1}, CostModel::Point{kInfinity, 1, 1, 1},
    CostModel::Point{1e300, 1, 1, 1}, CostModel::Point{8, kInfinity, kInfinity, 1},
    CostModel::Point{8, 1, kInfinity, 1}, CostModel::Point{8, 1e300, 1e300, 1}));

TEST(CostModel, CanBeReadWhileItLearns) {
  CostModel model;
  model.Observe(1, 1000);
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!over.load()) {
        EXPECT_GT(model.Mean(20), 0);
        EXPECT_GT(model.High(20), 0);
        EXPECT_GE(model.BestRows(64), 1);
        EXPECT_FALSE(model.Read().empty());
      }
    });
  }
  std::mt19937_64 random(4);
  for (int i = 0; i < 50'000; ++i) {
    model.Observe(static_cast<int64_t>(random() % 64 + 1), static_cast<Nanos>(random() % 1000 + 500));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace millrace
