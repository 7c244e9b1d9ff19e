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

constexpr BatchPolicy kAtOnce{PolicyKind::kBusy, 8, 0};
constexpr BatchPolicy kDelayed{PolicyKind::kTimer, 8, 100};
constexpr BatchPolicy kExcess{PolicyKind::kExcess, 8, 0};

// After a completion: `requests` wait, `arrived` of them since, `expected` are to come, `excess` of
// those because of it. The window ends at 100.
constexpr QueueView Window(size_t requests, double arrived, double expected, double excess,
                           Nanos deadline = kNever) {
  QueueView view;
  view.requests = requests;
  view.rows = static_cast<int64_t>(requests);
  view.oldest = 50;
  view.earliest_deadline = deadline;
  view.cost = 10;
  view.window_end = 100;
  view.arrived = arrived;
  view.expected = expected;
  view.excess = excess;
  return view;
}

const Row kRows[] = {
    {"nothing waits: idle", {}, 50, kAtOnce, Action::kIdle, 0},
    {"nothing waits and batches are held back: idle", {}, 50, kDelayed, Action::kIdle, 0},
    {"without a delay an idle worker takes what is there", {1, 1, 40, kNever}, 50, kAtOnce,
     Action::kRun, 0},
    {"without a delay even times that were not filled in are fine", {1, 1, kNever, kNever}, 50,
     kAtOnce, Action::kRun, 0},
    {"a request without rows counts", {1, 0, 40, kNever}, 50, kAtOnce, Action::kRun, 0},
    {"a full batch runs whatever the delay", {8, 8, 50, kNever}, 50, kDelayed, Action::kRun, 0},
    {"one request larger than a batch runs", {1, 9, 50, kNever}, 50, kDelayed, Action::kRun, 0},
    {"one row short of a batch waits for the delay of the oldest", {7, 7, 50, kNever}, 50, kDelayed,
     Action::kWait, 150},
    {"the delay counts from the oldest, not from now", {2, 2, 50, kNever}, 149, kDelayed,
     Action::kWait, 150},
    {"when the delay is over it runs", {2, 2, 50, kNever}, 150, kDelayed, Action::kRun, 0},
    {"when the delay is long over it runs", {2, 2, 50, kNever}, 900, kDelayed, Action::kRun, 0},
    {"a far deadline changes nothing", {2, 2, 50, 1000}, 60, kDelayed, Action::kWait, 150},
    {"it runs in time for the earliest deadline", {2, 2, 50, 120, 10}, 60, kDelayed, Action::kWait,
     110},
    {"a deadline that leaves no time to wait runs at once", {2, 2, 50, 120, 60}, 60, kDelayed,
     Action::kRun, 0},
    {"a deadline that has passed runs at once, to be dropped", {2, 2, 50, 10}, 60, kDelayed,
     Action::kRun, 0},
    {"a deadline at the start of the clock does not overflow", {2, 2, 0, 0}, 0, kDelayed,
     Action::kRun, 0},
    {"a negative delay is none", {1, 1, 40, kNever}, 50,
     {PolicyKind::kTimer, 8, -50}, Action::kRun, 0},
    {"a model that does not batch never waits", {1, 1, 50, kNever}, 50,
     {PolicyKind::kTimer, 1, 100}, Action::kRun, 0},
    {"clients that come back are waited for", Window(1, 0, 1, 1), 60, kExcess, Action::kWait, 100},
    {"until all of them are there", Window(2, 1, 1, 1), 60, kExcess, Action::kRun, 0},
    {"or the window ends", Window(1, 0, 1, 1), 100, kExcess, Action::kRun, 0},
    {"arrivals that the rate explains are not waited for", Window(1, 0, 3, 0.2), 60, kExcess,
     Action::kRun, 0},
    {"few are not worth the time of many", Window(5, 0, 2, 2), 60, kExcess, Action::kRun, 0},
    {"half as many are", Window(4, 0, 2, 2), 60, kExcess, Action::kWait, 100},
    {"those already in the window do not count against the others", Window(5, 4, 6, 4), 60,
     kExcess, Action::kWait, 100},
    {"a full batch waits for nobody", Window(8, 0, 8, 8), 60, kExcess, Action::kRun, 0},
    {"nobody waits past a deadline", Window(1, 0, 1, 1, 90), 60, kExcess, Action::kWait, 80},
    {"a pressing deadline runs at once", Window(1, 0, 1, 1, 65), 60, kExcess, Action::kRun, 0},
};

INSTANTIATE_TEST_SUITE_P(Policy, Decides, testing::ValuesIn(kRows), NameOf);

TEST(Decide, IsUsableAtCompileTime) {
  static_assert(Decide({}, 0, {}).action == Action::kIdle);
  static_assert(Decide({1, 1, 0, kNever}, 0, {}).action == Action::kRun);
}

}  // namespace
}  // namespace millrace
