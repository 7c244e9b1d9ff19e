#include "batching/arrivals.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

constexpr Nanos kCost = 1'000'000;
constexpr Nanos kWindow = kCost / 5;

// `rounds` batches of `requests` each, `returning` of whose clients come back within the window.
Nanos Return(ArrivalModel& model, int rounds, int requests, int returning, Nanos now = 0) {
  for (int round = 0; round < rounds; ++round) {
    model.Completed(now, kCost, static_cast<size_t>(requests));
    for (int i = 0; i < returning; ++i) model.Arrived(now + 1 + i);
    for (int i = returning; i < requests; ++i) model.Arrived(now + kWindow + 1 + i);
    now += kCost + kWindow;
  }
  model.Completed(now, kCost, static_cast<size_t>(requests));
  return now;
}

TEST(ArrivalModel, ExpectsNoRequestsAtFirst) {
  ArrivalModel model;
  EXPECT_EQ(model.expected(), 0);
  EXPECT_EQ(model.excess(), 0);
  EXPECT_EQ(model.rate(), 0);
  model.Completed(1000, kCost, 8);
  EXPECT_EQ(model.window_end(), 1000 + kWindow);
  EXPECT_EQ(model.excess(), 0);
}

TEST(ArrivalModel, CountsOnlyArrivalsInTheWindow) {
  ArrivalModel model;
  model.Completed(1000, kCost, 8);
  model.Arrived(999);
  model.Arrived(1000);
  EXPECT_EQ(model.arrived(), 0);
  model.Arrived(1001);
  model.Arrived(1000 + kWindow);
  EXPECT_EQ(model.arrived(), 2);
  model.Arrived(1001 + kWindow);
  EXPECT_EQ(model.arrived(), 2);
}

TEST(ArrivalModel, EachCompletionOpensANewWindow) {
  ArrivalModel model;
  model.Completed(1000, kCost, 8);
  model.Arrived(1001);
  model.Completed(2'000'000, 2 * kCost, 8);
  EXPECT_EQ(model.arrived(), 0);
  EXPECT_EQ(model.window_end(), 2'000'000 + 2 * kWindow);
}

TEST(ArrivalModel, LearnsThatClientsComeBack) {
  ArrivalModel model;
  Return(model, 500, 8, 8);
  EXPECT_NEAR(model.expected(), 8, 0.1);
  // The rate explains a sixth of them: the window is that part of the time between two completions.
  EXPECT_NEAR(model.returning(), 5.0 / 6, 0.02);
}

TEST(ArrivalModel, LearnsTheShareThatComesBack) {
  ArrivalModel model;
  Return(model, 500, 8, 4);
  EXPECT_NEAR(model.expected(), 4, 0.1);
  EXPECT_NEAR(model.returning(), 0.5 - 1.0 / 6, 0.02);
}

TEST(ArrivalModel, TheShareAppliesToBatchesOfAnySize) {
  ArrivalModel model;
  const Nanos now = Return(model, 500, 4, 4);
  for (int i = 0; i < 4; ++i) model.Arrived(now + 1 + i);
  model.Completed(now + kCost + kWindow, kCost, 32);
  EXPECT_GT(model.excess(), 24);
  EXPECT_LE(model.excess(), 32);
}

TEST(ArrivalModel, ForgetsClientsThatStayAway) {
  ArrivalModel model;
  const Nanos now = Return(model, 500, 8, 8);
  Return(model, 100, 8, 0, now + kCost);
  EXPECT_LE(model.excess(), 0);
  EXPECT_EQ(model.returning(), 0);
  EXPECT_LT(model.expected(), 0.1);
}

TEST(ArrivalModel, PoissonArrivalsHaveNoExcess) {
  for (const double in_run : {0.2, 1.0, 5.0, 20.0}) {
    ArrivalModel model;
    std::mt19937_64 random(7);
    std::exponential_distribution<double> gap(in_run / static_cast<double>(kCost));
    double next = 0;
    double excess = 0;
    constexpr int kRounds = 4000;
    for (int round = 1; round <= kRounds; ++round) {
      const auto now = static_cast<Nanos>(round) * kCost;
      size_t requests = 0;
      for (; next < static_cast<double>(now); next += gap(random), ++requests) {
        model.Arrived(static_cast<Nanos>(next));
      }
      requests = std::max<size_t>(requests, 1);
      model.Completed(now, kCost, requests);
      EXPECT_GE(model.returning(), 0);
      excess += model.excess() / static_cast<double>(requests) / kRounds;
    }
    EXPECT_NEAR(excess, 0, 0.03) << in_run;
    EXPECT_NEAR(model.rate() * static_cast<double>(kCost), in_run, 0.5 * in_run) << in_run;
  }
}

}  // namespace
}  // namespace millrace
