// The generator's properties on random scenarios in simulated time. PROPERTY_RUNS says on how many each is tried,
// PROPERTY_SEED=N tries that of one seed alone.
#include "generation/properties.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace millrace {
namespace {

using namespace test;

uint64_t Variable(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class GenerationPropertyTest : public testing::TestWithParam<GenerationProperty> {};

TEST_P(GenerationPropertyTest, Holds) {
  const GenerationProperty& property = GetParam();
  const uint64_t only = Variable("PROPERTY_SEED", 0);
  const uint64_t last = only == 0 ? Variable("PROPERTY_RUNS", 10'000) : only;
  for (uint64_t seed = std::max<uint64_t>(only, 1); seed <= last; ++seed) {
    ASSERT_EQ(FaultOf(property, ScenarioOf(property, seed)), "") << ReportOf(property, seed);
  }
}

// A property that cannot fail says nothing: each is shown runs that break it.
TEST_P(GenerationPropertyTest, NoticesWhenItIsBroken) {
  const GenerationProperty& property = GetParam();
  constexpr uint64_t kTried = 200;
  uint64_t spoilt = 0;
  uint64_t noticed = 0;
  for (uint64_t seed = 1; seed <= kTried; ++seed) {
    GenerationScenario scenario = ScenarioOf(property, seed);
    GenerationTrace trace = GenerationSimulation::Of(scenario);
    if (!property.spoil(scenario, trace)) continue;
    ++spoilt;
    noticed += property.check(scenario, trace).empty() ? 0 : 1;
  }
  EXPECT_GE(spoilt, kTried / 20) << "the scenarios hardly ever touch the property";
  EXPECT_GE(noticed, spoilt / 2);
}

std::string NameOf(const testing::TestParamInfo<GenerationProperty>& instance) {
  return instance.param.name;
}

INSTANTIATE_TEST_SUITE_P(Generator, GenerationPropertyTest,
                         testing::ValuesIn(AllGenerationProperties()), NameOf);

// A claim that does not hold is refuted, and the case that refutes it is as small as it can be.
TEST(GenerationPropertyShrinking, FindsTheSmallestCase) {
  const GenerationProperty wrong{
      "NoRunHasThreeRequests", nullptr,
      [](const GenerationScenario&, const GenerationTrace& trace) {
        return EachRun(trace, "has three requests", [](const SeenRun& run, size_t) {
          return std::set(run.ids.begin(), run.ids.end()).size() >= 3;
        });
      },
      nullptr};
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const GenerationScenario scenario = ScenarioOf(wrong, seed);
    if (FaultOf(wrong, scenario).empty()) continue;
    const GenerationScenario smallest = Shrink(wrong, scenario);
    EXPECT_NE(FaultOf(wrong, smallest), "");
    EXPECT_LE(smallest.arrivals.size(), 4u) << Describe(smallest);
    EXPECT_NE(ReportOf(wrong, seed).find("PROPERTY_SEED=" + std::to_string(seed)), std::string::npos);
    return;
  }
  FAIL() << "no scenario has a run of three";
}

}  // namespace
}  // namespace millrace
