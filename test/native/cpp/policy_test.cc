#include "batching/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace millrace {
namespace {

using Action = Decision::Action;

struct Row {
  const char* says;
  QueueView queue;
  Nanos now;
  BatchPolicy policy;
  Action action;
  Nanos until;  // with kWait
};

// The sentence as an identifier, which is all that GoogleTest takes for a name.
std::string NameOf(const testing::TestParamInfo<Row>& entry) {
  std::string name = entry.param.says;
  std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class Decides : public testing::TestWithParam<Row> {};

TEST_P(Decides, As) {
  const Row& row = GetParam();
  const Decision decision = Decide(row.queue, row.now, row.policy);
  EXPECT_EQ(decision.action, row.action) << row.says;
  if (row.action == Action::kWait) {
    EXPECT_EQ(decision.until, row.until) << row.says;
  }
}

constexpr BatchPolicy kAtOnce{8, 0};
constexpr BatchPolicy kHold{8, 100};

const Row kRows[] = {
    {"nothing waits: idle", {}, 50, kAtOnce, Action::kIdle, 0},
    {"nothing waits and batches are held back: idle", {}, 50, kHold, Action::kIdle, 0},
    {"without a delay an idle lane takes what is there", {1, 1, 40, kNever}, 50, kAtOnce,
     Action::kRun, 0},
    {"without a delay even times that were not filled in are fine", {1, 1, kNever, kNever}, 50,
     kAtOnce, Action::kRun, 0},
    {"a request without rows counts", {1, 0, 40, kNever}, 50, kAtOnce, Action::kRun, 0},
    {"a full batch runs whatever the delay", {8, 8, 50, kNever}, 50, kHold, Action::kRun, 0},
    {"one request larger than a batch runs", {1, 9, 50, kNever}, 50, kHold, Action::kRun, 0},
    {"one row short of a batch waits for the delay of the oldest", {7, 7, 50, kNever}, 50, kHold,
     Action::kWait, 150},
    {"the delay counts from the oldest, not from now", {2, 2, 50, kNever}, 149, kHold,
     Action::kWait, 150},
    {"when the delay is over it runs", {2, 2, 50, kNever}, 150, kHold, Action::kRun, 0},
    {"when the delay is long over it runs", {2, 2, 50, kNever}, 900, kHold, Action::kRun, 0},
    {"a far deadline changes nothing", {2, 2, 50, 1000}, 60, kHold, Action::kWait, 150},
    {"it is run one delay before the earliest deadline", {2, 2, 50, 220}, 60, kHold,
     Action::kWait, 120},
    {"a deadline nearer than a delay runs at once", {2, 2, 50, 155}, 60, kHold, Action::kRun, 0},
    {"a deadline that has passed runs at once, to be dropped", {2, 2, 50, 10}, 60, kHold,
     Action::kRun, 0},
    {"a deadline at the start of the clock does not overflow", {2, 2, 0, 0}, 0, kHold,
     Action::kRun, 0},
    {"a negative delay is none", {1, 1, 40, kNever}, 50, {8, -5}, Action::kRun, 0},
    {"a model that does not batch never waits", {1, 1, 50, kNever}, 50, {1, 100}, Action::kRun, 0},
};

INSTANTIATE_TEST_SUITE_P(Policy, Decides, testing::ValuesIn(kRows), NameOf);

TEST(Decide, IsUsableAtCompileTime) {
  static_assert(Decide({}, 0, {}).action == Action::kIdle);
  static_assert(Decide({1, 1, 0, kNever}, 0, {}).action == Action::kRun);
}

}  // namespace
}  // namespace millrace
