#include "addon/cores.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace millrace {
namespace {

TEST(Cores, TheLimitOfAContainerIsItsQuotaRoundedUp) {
  EXPECT_EQ(ParseCpuMax("200000 100000"), 2u);
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 2u);
  EXPECT_EQ(ParseCpuMax("10000 100000"), 1u);
  EXPECT_EQ(ParseCpuMax("3200000 50000"), 64u);
}

TEST(Cores, OtherTextSetsNoLimit) {
  for (const char* text : {"max 100000", "-1 100000", "", "0 0", "5", "5 x", "x 5", "1e300 1"}) {
    EXPECT_EQ(ParseCpuMax(text), std::nullopt) << text;
  }
}

TEST(Cores, UsableCoresAreAtMostThoseOfTheMachine) {
  EXPECT_GE(UsableCores(), 1u);
  EXPECT_LE(UsableCores(), std::max(std::thread::hardware_concurrency(), 1u));
}

TEST(Cores, WorkersOfShortRunsGetTheCoresThatJavaScriptLeaves) {
  for (const auto& [cores, js_threads, spare] : std::vector<std::array<uint32_t, 3>>{
           {8, 1, 7}, {8, 6, 2}, {2, 1, 1}, {2, 8, 1}, {1, 1, 1}}) {
    EXPECT_EQ(BudgetOf(cores, js_threads).spare, spare);
    EXPECT_EQ(BudgetOf(cores, js_threads).all, cores);
  }
}

}  // namespace
}  // namespace millrace
