// The batcher's properties on random scenarios in simulated time. PROPERTY_RUNS says on how many each
// is tried, PROPERTY_SEED=N tries that of one seed alone.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "batching/limits_properties.h"

namespace millrace {
namespace {

using namespace test;

uint64_t Variable(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

uint64_t Runs() { return Variable("PROPERTY_RUNS", 10'000); }

class PropertyTest : public testing::TestWithParam<Property> {};

TEST_P(PropertyTest, Holds) {
  const Property& property = GetParam();
  const uint64_t only = Variable("PROPERTY_SEED", 0);
  const uint64_t last = only == 0 ? Runs() : only;
  for (uint64_t seed = std::max<uint64_t>(only, 1); seed <= last; ++seed) {
    ASSERT_EQ(FaultOf(property, ScenarioOf(property, seed)), "") << ReportOf(property, seed);
  }
}

// A property that cannot fail says nothing: each is shown runs that break it.
TEST_P(PropertyTest, NoticesWhenItIsBroken) {
  const Property& property = GetParam();
  constexpr uint64_t kTried = 200;
  uint64_t spoilt = 0;
  uint64_t noticed = 0;
  for (uint64_t seed = 1; seed <= kTried; ++seed) {
    Scenario scenario = ScenarioOf(property, seed);
    Trace trace = Simulation::Of(scenario);
    if (!property.spoil(scenario, trace)) continue;
    ++spoilt;
    noticed += property.check(scenario, trace).empty() ? 0 : 1;
  }
  EXPECT_GE(spoilt, kTried / 20) << "the scenarios hardly ever touch the property";
  EXPECT_GE(noticed, spoilt / 2);
}

std::string NameOf(const testing::TestParamInfo<Property>& instance) { return instance.param.name; }

INSTANTIATE_TEST_SUITE_P(Batcher, PropertyTest, testing::ValuesIn(Properties()), NameOf);

// A claim that does not hold is refuted, and the case that refutes it is as small as it can be.
TEST(PropertyShrinking, FindsTheSmallestCase) {
  const Property wrong{"NoBatchHasThreeRequests", nullptr,
                       [](const Scenario&, const Trace& trace) {
                         return EachAttempt(trace, "has three requests", [](const Attempt& attempt) {
                           return attempt.ids.size() >= 3;
                         });
                       },
                       nullptr};
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Scenario scenario = ScenarioOf(wrong, seed);
    if (FaultOf(wrong, scenario).empty()) continue;
    const Scenario smallest = Shrink(wrong, scenario);
    EXPECT_NE(FaultOf(wrong, smallest), "");
    EXPECT_LE(smallest.arrivals.size(), 5u) << Describe(smallest);
    EXPECT_NE(ReportOf(wrong, seed).find("PROPERTY_SEED=" + std::to_string(seed)), std::string::npos);
    return;
  }
  FAIL() << "no scenario has a batch of three";
}

struct Traffic {
  double latency = 0;
  size_t holds = 0;
  size_t runs = 0;
};

Traffic Measure(Scenario& scenario, PolicyKind kind) {
  Traffic traffic;
  scenario.options.policy.kind = kind;
  const Trace trace = Simulation::Of(scenario);
  for (const Seen& seen : trace.seen) {
    traffic.latency += static_cast<double>(seen.delivered - seen.submitted);
  }
  for (const Turn& turn : trace.turns) {
    traffic.holds += turn.decision.action == Decision::Action::kWait ? 1 : 0;
  }
  traffic.runs = trace.attempts.size();
  return traffic;
}

Scenario BatchingScenario(uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.options.pending.batched = true;
  scenario.options.policy.max_rows = 16;
  return scenario;
}

// Requests that come on their own are what the policy must not be fooled by: over all the runs
// together, waiting for clients that do not exist costs less than a hundredth.
TEST(PropertyOfManyRuns, PoissonTrafficDoesNotWait) {
  double busy = 0;
  double excess = 0;
  size_t holds = 0;
  // Long enough for the policy to learn something wrong.
  for (uint64_t seed = 1; seed <= Runs() / 4; ++seed) {
    Random random(seed);
    Scenario scenario = BatchingScenario(seed);
    const double load = 0.1 + 0.8 * static_cast<double>(random.Below(6));
    const double gap = static_cast<double>(scenario.CostOf(1)) / load;
    Nanos at = 1'000'000;
    for (int i = 0; i < 200; ++i) scenario.arrivals.push_back({.at = at += random.Exponential(gap)});
    busy += Measure(scenario, PolicyKind::kBusy).latency;
    const Traffic traffic = Measure(scenario, PolicyKind::kExcess);
    excess += traffic.latency;
    holds += traffic.holds;
  }
  std::printf("mean latency x %.4f, %zu holds\n", excess / busy, holds);
  EXPECT_LE(excess / busy, 1.01);
}

// The same policy on the traffic it is made for, without which the above would be easy.
TEST(PropertyOfManyRuns, ClientsThatComeBackAreWaitedFor) {
  size_t busy = 0;
  size_t excess = 0;
  for (uint64_t seed = 1; seed <= Runs() / 10; ++seed) {
    Random random(seed);
    Scenario scenario = BatchingScenario(seed);
    const auto clients = static_cast<size_t>(random.Between(2, 8));
    scenario.arrivals = ClosedLoop(clients, 40 * clients, scenario, random);
    busy += Measure(scenario, PolicyKind::kBusy).runs;
    excess += Measure(scenario, PolicyKind::kExcess).runs;
  }
  std::printf("runs x %.3f\n", static_cast<double>(excess) / static_cast<double>(busy));
  EXPECT_LE(static_cast<double>(excess), 0.8 * static_cast<double>(busy));
}

// ── The models that the policy goes by ───────────────────────────────────────────────────────────

TEST(PropertyOfModels, ALargerBatchIsNeverExpectedToCostLess) {
  for (uint64_t seed = 1; seed <= Runs(); ++seed) {
    Random random(seed);
    CostModel cost;
    for (int64_t i = random.Between(0, 20); i > 0; --i) {
      const double mean = static_cast<double>(random.Between(-10, 1'000'000));
      if (random.OneIn(4)) cost.Seed({static_cast<double>(random.Between(-1, 300)), mean, 2 * mean, 1});
      else cost.Observe(random.Between(1, 300), random.Between(0, 1'000'000));
    }
    Nanos before = 0;
    for (int64_t rows = 1; rows <= 512; rows += random.Between(1, 40)) {
      const Nanos mean = cost.Mean(rows);
      ASSERT_GE(mean, before) << "seed " << seed << ", " << rows << " rows";
      ASSERT_GE(cost.High(rows), 0) << "seed " << seed;
      const int64_t best = cost.BestRows(rows);
      ASSERT_TRUE(best >= 1 && best <= rows) << "seed " << seed << ", " << rows << " rows";
      before = mean;
    }
  }
}

TEST(PropertyOfModels, TheShareOfReturningClientsIsBetween0And1) {
  for (uint64_t seed = 1; seed <= Runs(); ++seed) {
    Random random(seed);
    ArrivalModel model;
    Nanos now = 1;
    for (int i = 0; i < 60; ++i) {
      now += random.Between(0, 3000);
      if (random.OneIn(2)) {
        model.Arrived(now);
      } else {
        model.Completed(now, random.Between(0, 5000), static_cast<size_t>(random.Between(1, 20)));
      }
      ASSERT_TRUE(model.returning() >= 0 && model.returning() <= 1) << "seed " << seed;
      ASSERT_GE(model.expected(), 0) << "seed " << seed;
      ASSERT_GE(model.window_end(), 0) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace millrace
