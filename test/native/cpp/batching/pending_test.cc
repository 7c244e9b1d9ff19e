#include "batching/pending.h"

#include <gtest/gtest.h>

#include "support/requests.h"

namespace millrace {
namespace {

using test::Requests;
using Taken = std::vector<Request*>;

constexpr BatchPolicy kHold{PolicyKind::kTimer, 8, 100};

class PendingTest : public testing::Test {
 protected:
  Request* Add(float value, int64_t rows = 1, int64_t width = 1) {
    Request* const request = requests.Make(value, rows, width);
    return Add(request);
  }

  Request* Add(Request* request) {
    request->sequence = sequence++;
    pending.Add(request);
    return request;
  }

  Taken Take(int64_t max_rows = 8, Nanos now = 0) {
    batch.clear();
    dropped.clear();
    pending.Take(max_rows, now, cost, batch, dropped);
    return batch;
  }

  Requests requests;
  CostModel cost;
  Pending pending{{.batched = true}};
  Taken batch;
  Taken dropped;
  uint64_t sequence = 0;
};

TEST_F(PendingTest, IsEmptyUntilSomethingIsAdded) {
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(pending.View(kHold).requests, 0u);
  EXPECT_EQ(Take(), Taken{});
  Add(1);
  EXPECT_FALSE(pending.empty());
  EXPECT_EQ(pending.size(), 1u);
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_TRUE(pending.empty());
}

TEST_F(PendingTest, EqualRequestsAreTakenInOrderOfArrival) {
  const Taken all = {Add(1), Add(2), Add(3), Add(4)};
  EXPECT_EQ(Take(), all);
}

TEST_F(PendingTest, EarlierDeadlinesGoFirstAndNoDeadlineGoesLast) {
  Request* const none = Add(1);
  Request* const late = requests.Make(2);
  late->deadline = 200;
  Add(late);
  Request* const soon = requests.Make(3);
  soon->deadline = 100;
  Add(soon);
  EXPECT_EQ(Take(), (Taken{soon, late, none}));
}

TEST_F(PendingTest, PriorityCountsMoreThanTheDeadline) {
  Request* const low = requests.Make(1);
  low->priority = 1;
  low->deadline = 10;
  Add(low);
  Request* const high = Add(2);
  EXPECT_EQ(Take(), (Taken{high, low}));
}

TEST_F(PendingTest, TakesNoMoreThanTheMostRows) {
  Request* const a = Add(1, 3);
  Request* const b = Add(2, 3);
  Request* const c = Add(3, 3);
  EXPECT_EQ(Take(8), (Taken{a, b}));
  EXPECT_EQ(pending.size(), 1u);
  EXPECT_EQ(Take(8), (Taken{c}));
}

TEST_F(PendingTest, FillsABatchToTheLastRow) {
  const Taken all = {Add(1, 3), Add(2, 4), Add(3, 1)};
  Add(4);
  EXPECT_EQ(Take(8), all);
}

TEST_F(PendingTest, ARequestThatDoesNotFitIsNotOvertaken) {
  Request* const first = Add(1, 5);
  Request* const large = Add(2, 5);
  Request* const small = Add(3, 1);
  EXPECT_EQ(Take(8), (Taken{first}));
  EXPECT_EQ(Take(8), (Taken{large, small}));
}

TEST_F(PendingTest, ARequestLargerThanABatchGoesAlone) {
  Request* const large = Add(1, 20);
  Request* const small = Add(2);
  EXPECT_EQ(Take(8), (Taken{large}));
  EXPECT_EQ(Take(8), (Taken{small}));
}

// What a batch of four costs, and one of eight is believed to cost.
class PendingTrialTest : public PendingTest {
 protected:
  PendingTrialTest() {
    cost.Observe(4, 400);
    cost.Observe(8, 1200);
  }

  // A batch of a queue that holds eight.
  Taken TakeOfEight(Nanos deadline = kNever) {
    while (pending.size() < 8) {
      Request* const request = requests.Make(1);
      request->deadline = deadline;
      Add(request);
    }
    return Take();
  }
};

TEST_F(PendingTrialTest, AnExpensiveSizeIsTriedNowAndThen) {
  size_t trials = 0;
  for (int i = 0; i < 1000; ++i) trials += TakeOfEight().size() == 8 ? 1 : 0;
  EXPECT_TRUE(trials >= 10 && trials <= 20) << trials;
}

TEST_F(PendingTrialTest, ASizeThatATrialFindsCheapIsRunAgain) {
  for (int i = 0; i < 1000; ++i) {
    const size_t size = TakeOfEight().size();
    cost.Observe(static_cast<int64_t>(size), 100 * static_cast<Nanos>(size));
  }
  EXPECT_EQ(cost.BestRows(8), 8);
}

TEST_F(PendingTrialTest, ATrialDoesNotMissADeadline) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(TakeOfEight(500).size(), 4u);
    EXPECT_TRUE(dropped.empty());
  }
}

TEST_F(PendingTest, RequestsWithoutRowsShareABatch) {
  const Taken all = {Add(1, 0), Add(2, 8), Add(3, 0)};
  EXPECT_EQ(Take(8), all);
}

TEST_F(PendingTest, DifferentShapesDoNotShareABatch) {
  Request* const narrow = Add(1, 1, 4);
  Request* const wide = Add(2, 1, 5);
  Request* const narrow2 = Add(3, 2, 4);
  EXPECT_EQ(pending.View(kHold).rows, 3);
  EXPECT_EQ(Take(), (Taken{narrow, narrow2}));
  EXPECT_EQ(Take(), (Taken{wide}));
}

TEST_F(PendingTest, DifferentRanksDoNotShareABatch) {
  Request* const flat = Add(1);
  Request* const deep = requests.Make(2);
  deep->inputs[0].view.shape = test::MakeShape({1, 1, 1});
  Add(deep);
  EXPECT_EQ(Take(), (Taken{flat}));
  EXPECT_EQ(Take(), (Taken{deep}));
}

TEST_F(PendingTest, RequestsShareABatchOnlyIfEveryInputHasTheSameShape) {
  const auto with_second = [&](int64_t width) {
    Request* const request = requests.Make(1);
    test::SetInput(*request, 1, ElementType::kFloat32, test::MakeShape({1, width}),
                   std::vector<float>(static_cast<size_t>(width)));
    return Add(request);
  };
  Request* const a = with_second(2);
  Request* const b = with_second(3);
  Request* const c = with_second(2);
  EXPECT_EQ(Take(), (Taken{a, c}));
  EXPECT_EQ(Take(), (Taken{b}));
}

TEST_F(PendingTest, TheGroupOfTheMostUrgentRequestIsServedFirst) {
  Add(1, 1, 4);
  Request* const urgent = requests.Make(2, 1, 5);
  urgent->deadline = 50;
  Add(urgent);
  EXPECT_EQ(pending.View(kHold).requests, 1u);
  EXPECT_EQ(Take(), (Taken{urgent}));
}

TEST_F(PendingTest, AModelThatDoesNotBatchGetsOneRequestAtATime) {
  Pending alone({.batched = false});
  Request* const a = requests.Make(1, 3);
  Request* const b = requests.Make(2, 3);
  a->sequence = 0;
  b->sequence = 1;
  alone.Add(a);
  alone.Add(b);
  alone.Take(64, 0, cost, batch, dropped);
  EXPECT_EQ(batch, (Taken{a}));
}

TEST_F(PendingTest, CancelledAndExpiredRequestsAreDroppedAndTakeNoRows) {
  Request* const expired = requests.Make(1, 8);
  expired->deadline = 100;
  Add(expired);
  Request* const cancelled = Add(2, 8);
  cancelled->cancelled = true;
  Request* const live = Add(3, 8);
  EXPECT_EQ(Take(8, 100), (Taken{live}));
  EXPECT_EQ(dropped, (Taken{expired, cancelled}));
  EXPECT_TRUE(pending.empty());
}

TEST_F(PendingTest, ADeadlineHasPassedAtItsOwnTime) {
  Request* const request = requests.Make(1);
  request->deadline = 100;
  Add(request);
  EXPECT_EQ(Take(8, 99), (Taken{request}));
  Add(request);
  EXPECT_EQ(Take(8, 100), Taken{});
  EXPECT_EQ(dropped, (Taken{request}));
}

TEST_F(PendingTest, ViewCountsTheGroupAndItsTimes) {
  Request* const a = requests.Make(1, 2);
  a->submitted = 30;
  a->deadline = 900;
  Add(a);
  Request* const b = requests.Make(2, 3);
  b->submitted = 20;
  Add(b);
  const QueueView held = pending.View(kHold);
  EXPECT_EQ(held.requests, 2u);
  EXPECT_EQ(held.rows, 5);
  EXPECT_EQ(held.oldest, 20);
  EXPECT_EQ(held.earliest_deadline, 900);
  const QueueView at_once = pending.View({PolicyKind::kBusy, 8, 0});
  EXPECT_EQ(at_once.rows, 5);
  EXPECT_EQ(at_once.oldest, kNever);
  EXPECT_EQ(at_once.earliest_deadline, kNever);
}

TEST_F(PendingTest, GroupsOfManyShapesAreRemovedOnceServed) {
  for (int64_t width = 1; width <= 500; ++width) {
    Request* const request = Add(1, 1, width);
    EXPECT_EQ(Take(), (Taken{request}));
  }
  EXPECT_TRUE(pending.empty());
}

TEST_F(PendingTest, ManyShapesAtOnceAreAllServed) {
  Taken expected;
  for (int64_t width = 1; width <= 100; ++width) expected.push_back(Add(1, 1, width));
  for (Request* request : expected) EXPECT_EQ(Take(), (Taken{request}));
}

}  // namespace
}  // namespace millrace
