// Several open batches: which requests of which lengths run together, and when.
#include <gtest/gtest.h>

#include "batching/pending.h"
#include "support/shapes.h"

namespace millrace {
namespace {

using test::LengthAxis;
using test::Planned;
using test::TextSignature;
using Taken = std::vector<Request*>;

constexpr BatchPolicy kBusy{PolicyKind::kBusy, 8, 0};
constexpr BatchPolicy kTimer{PolicyKind::kTimer, 8, 100};

class ShapePendingTest : public testing::Test {
 protected:
  Request* Add(int64_t length, int64_t rows = 1, Nanos deadline = kNever) {
    Request* const request = texts.Make(1, length, rows);
    request->deadline = deadline;
    request->submitted = now;
    request->sequence = sequence++;
    pending.Add(request);
    return request;
  }

  Taken Take(int64_t max_rows = 8) {
    Taken batch;
    dropped.clear();
    pending.Take(max_rows, now, Costs(costs), batch, dropped);
    return batch;
  }

  // A run costs `fixed` and `each` for every element.
  void Measure(Nanos fixed, Nanos each) {
    for (size_t bucket = 0; bucket < plan.buckets(); ++bucket) {
      for (const int64_t rows : {1, 2, 4, 8}) {
        costs[bucket].Observe(rows, fixed + each * rows * plan.Lengths(bucket)[0]);
      }
    }
  }

  ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8, 64})});
  test::Texts texts{plan};
  std::array<CostModel, 3> costs;
  Pending pending{{.batched = true, .shapes = &plan}};
  Taken dropped;
  Nanos now = 0;
  uint64_t sequence = 0;
};

TEST_F(ShapePendingTest, LengthsOfOneBucketShareABatch) {
  const Taken all = {Add(1), Add(4), Add(0), Add(3)};
  EXPECT_EQ(Take(), all);
}

TEST_F(ShapePendingTest, BucketsDoNotShareABatchWhileCostsAreUnknown) {
  Request* const a = Add(3);
  Request* const b = Add(5);
  Request* const c = Add(2);
  EXPECT_EQ(Take(), (Taken{a, c}));
  EXPECT_EQ(Take(), (Taken{b}));
}

TEST_F(ShapePendingTest, RequestsArePaddedToShareABatchIfARunApartCostsMore) {
  Measure(1000, 1);
  Request* const small = Add(3);
  Request* const large = Add(60);
  Request* const middle = Add(6);
  EXPECT_EQ(Take(), (Taken{small, large, middle}));
  EXPECT_TRUE(pending.empty());
}

TEST_F(ShapePendingTest, RequestsRunApartIfPaddingCostsMore) {
  Measure(10, 1);
  Request* const small = Add(3);
  Request* const large = Add(60);
  EXPECT_EQ(Take(), (Taken{small}));
  EXPECT_EQ(Take(), (Taken{large}));
}

TEST_F(ShapePendingTest, OnlyRequestsThatSaveTimeArePaddedToShareABatch) {
  Measure(20, 1);
  Request* const small = Add(3);
  Request* const large = Add(60);
  Request* const middle = Add(6);
  EXPECT_EQ(Take(), (Taken{small, middle})) << "8 more elements, not 64, for a run saved";
  EXPECT_EQ(Take(), (Taken{large}));
}

TEST_F(ShapePendingTest, SizesThatLoadingDidNotMeasureAreTriedBeforeALargerOne) {
  costs[0].Observe(1, 100);
  for (int i = 0; i < 26; ++i) Add(3);
  std::vector<size_t> sizes;
  while (!pending.empty()) {
    sizes.push_back(Take().size());
    costs[0].Observe(static_cast<int64_t>(sizes.back()), 100 * static_cast<Nanos>(sizes.back()));
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 2, 2, 4, 4, 4, 8}));
}

TEST_F(ShapePendingTest, OnlySizesThatRunAreTried) {
  plan.row_sizes = {1, 4, 8};
  costs[0].Observe(1, 100);
  for (int i = 0; i < 20; ++i) Add(3);
  std::vector<size_t> sizes;
  while (!pending.empty()) sizes.push_back(Take().size());
  EXPECT_EQ(sizes, (std::vector<size_t>{4, 4, 4, 8}));
}

TEST_F(ShapePendingTest, SizesThatAreKnownOrUnknownAltogetherAreNotTried) {
  for (int i = 0; i < 16; ++i) Add(3);
  EXPECT_EQ(Take().size(), 8u) << "nothing is known";
  for (const int64_t rows : {1, 2, 4}) costs[0].Observe(rows, 100 * rows);
  EXPECT_EQ(Take().size(), 8u);
}

TEST_F(ShapePendingTest, ASizeThatNoBatchReachesIsNotTriedForever) {
  costs[0].Observe(1, 100);
  std::vector<size_t> sizes;
  for (int i = 0; i < 5; ++i) {
    Add(3);
    Add(3, 5);
    while (!pending.empty()) sizes.push_back(Take().size());
  }
  // A batch of two rows is tried three times, and then one of four, and each becomes the first request alone.
  EXPECT_EQ(sizes, (std::vector<size_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  Add(3);
  Add(3, 5);
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_EQ(Take().size(), 1u);
  Add(3);
  Add(3, 5);
  EXPECT_EQ(Take().size(), 2u);
}

TEST_F(ShapePendingTest, RequestsOfSeveralRowsAddUpToRowsThatWereCompared) {
  plan.shared_rows = {5, 12};
  for (int i = 0; i < 3; ++i) Add(3, 4);
  EXPECT_EQ(Take(12).size(), 3u);
  for (int i = 0; i < 2; ++i) Add(3, 4);
  EXPECT_EQ(Take(12).size(), 1u) << "8 rows were not compared";
  EXPECT_EQ(Take(12).size(), 1u);
  EXPECT_TRUE(pending.empty());
}

TEST_F(ShapePendingTest, PaddedRequestsAddUpToRowsThatWereCompared) {
  Measure(1000, 1);
  plan.shared_rows = {2, 4};
  for (int i = 0; i < 2; ++i) Add(3);
  for (int i = 0; i < 2; ++i) Add(60);
  EXPECT_EQ(Take().size(), 4u);
  const Taken small = {Add(3), Add(3)};
  Request* const large = Add(60);
  EXPECT_EQ(Take(), small) << "3 rows were not compared";
  EXPECT_EQ(Take(), (Taken{large}));
}

TEST_F(ShapePendingTest, ABatchHasANumberOfRowsThatWasCompared) {
  plan.shared_rows = {2, 5};
  for (int i = 0; i < 11; ++i) Add(3);
  std::vector<size_t> sizes;
  while (!pending.empty()) sizes.push_back(Take().size());
  EXPECT_EQ(sizes, (std::vector<size_t>{5, 5, 1}));
}

TEST_F(ShapePendingTest, AFullBatchTakesNoRequestsOfOtherGroups) {
  Measure(1000, 1);
  Add(3, 8);
  Request* const large = Add(60);
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_EQ(Take(), (Taken{large}));
}

TEST_F(ShapePendingTest, PaddingDoesNotMissADeadline) {
  Measure(1000, 1);
  Request* const urgent = Add(3, 1, 1010);
  Request* const large = Add(60);
  EXPECT_EQ(Take(), (Taken{urgent})) << "together they take 1128";
  EXPECT_EQ(Take(), (Taken{large}));
  Request* const first = Add(3, 1, 2000);
  Request* const short_of_time = Add(60, 1, 2100);
  EXPECT_EQ(Take(), (Taken{first, short_of_time}));
}

TEST_F(ShapePendingTest, CancelledRequestsOfOtherGroupsAreDropped) {
  Measure(1000, 1);
  Request* const small = Add(3);
  Request* const gone = Add(60);
  gone->cancelled = true;
  EXPECT_EQ(Take(), (Taken{small}));
  EXPECT_EQ(dropped, (Taken{gone}));
}

TEST_F(ShapePendingTest, ElementsLimitABatch) {
  plan.max_elements = 32;
  const Taken all = {Add(8), Add(8), Add(8), Add(8), Add(8), Add(60)};
  EXPECT_EQ(Take(), Taken(all.begin(), all.begin() + 4));
  EXPECT_EQ(Take(), (Taken{all[4]}));
  EXPECT_EQ(Take(), (Taken{all[5]})) << "too large for the budget, hence alone";
}

TEST_F(ShapePendingTest, ElementsLimitABatchOfPaddedRequests) {
  Measure(1000, 1);
  plan.max_elements = 128;
  const Taken small = {Add(3), Add(3), Add(3)};
  Request* const large = Add(60);
  EXPECT_EQ(Take(), small) << "with the large one it would be 4 x 64";
  EXPECT_EQ(Take(), (Taken{large}));
}

TEST_F(ShapePendingTest, WithoutPaddingOnlyEqualLengthsShareABatch) {
  plan.pads = false;
  Measure(1000, 1);
  Request* const a = Add(3);
  Request* const b = Add(2);
  Request* const c = Add(3);
  EXPECT_EQ(Take(), (Taken{a, c}));
  EXPECT_EQ(Take(), (Taken{b}));
}

TEST_F(ShapePendingTest, AGroupThatIsHeldBackDoesNotDelayOthers) {
  Add(60);  // the oldest, and alone: the timer waits for company
  const Taken full = {Add(3, 4), Add(3, 4)};
  EXPECT_EQ(pending.View(kTimer).rows, 1) << "the most urgent group is the one held back";
  const Pending::Choice choice = pending.Choose({}, now, kTimer, Costs(costs));
  EXPECT_EQ(choice.decision.action, Decision::Action::kRun);
  Taken batch;
  pending.Take(choice.group, 8, now, Costs(costs), batch, dropped);
  EXPECT_EQ(batch, full);
  const Pending::Choice rest = pending.Choose({}, now, kTimer, Costs(costs));
  EXPECT_EQ(rest.decision.action, Decision::Action::kWait);
  EXPECT_EQ(rest.decision.until, 100);
}

TEST_F(ShapePendingTest, WaitsForTheFirstGroupThatIsDue) {
  Add(60);
  now = 50;
  Add(3);
  const Pending::Choice choice = pending.Choose({}, now, kTimer, Costs(costs));
  EXPECT_EQ(choice.decision.action, Decision::Action::kWait);
  EXPECT_EQ(choice.decision.until, 100);
}

TEST_F(ShapePendingTest, TheMostUrgentOfTheGroupsThatMayRunDoes) {
  Add(60);
  Request* const urgent = Add(3, 1, 500);
  Add(6);
  const Pending::Choice choice = pending.Choose({}, now, kBusy, Costs(costs));
  Taken batch;
  pending.Take(choice.group, 8, now, Costs(costs), batch, dropped);
  EXPECT_EQ(batch, (Taken{urgent}));
}

TEST_F(ShapePendingTest, ARareLengthIsServedUnderALoadOfACommonOne) {
  Request* const rare = Add(60);
  // Requests with deadlines go first, as long as they are due before the patience of others ends.
  for (int round = 0; round < 30; ++round) {
    now += 100'000'000;
    Add(3, 8, now + 500'000'000);
    pending.Age(now);
    const Taken taken = Take();
    ASSERT_EQ(taken.size(), 1u);
    if (taken[0] == rare) {
      EXPECT_LE(now, 1'000'000'000);
      return;
    }
  }
  FAIL() << "it was starved";
}

TEST_F(ShapePendingTest, RowsAreFilledUpIfThatIsCheaperPerRow) {
  plan.row_sizes = {2, 8};
  costs[0].Observe(2, 100);
  costs[0].Observe(8, 150);
  for (int i = 0; i < 5; ++i) Add(3);
  EXPECT_EQ(Take().size(), 5u) << "150 for 5 rows rather than 100 for 2";
  costs[1].Observe(2, 100);
  costs[1].Observe(8, 900);
  for (int i = 0; i < 5; ++i) Add(7);
  EXPECT_EQ(Take().size(), 2u) << "100 for 2 rows rather than 900 for 5";
}

}  // namespace
}  // namespace millrace
