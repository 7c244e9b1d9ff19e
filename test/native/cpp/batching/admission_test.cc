// What costs, deadlines and age mean to a request: refused, dropped, or served in which order.
#include <gtest/gtest.h>

#include "batching/batcher.h"
#include "batching/pending.h"
#include "support/clock.h"
#include "support/collector.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::Collector;
using test::FakeClock;
using test::Puppet;
using test::Requests;
using Taken = std::vector<Request*>;

// A run of `rows` rows takes 900 + 100 rows.
void Seed(CostModel& cost) {
  for (const double rows : {1., 8., 64.}) {
    const double time = 900 + 100 * rows;
    cost.Seed({rows, time, time, 1});
  }
}

class AdmissionTest : public testing::Test {
 protected:
  ~AdmissionTest() override {
    puppet.Release();
    batcher.reset();
  }

  void Open(uint32_t workers = 1, int64_t max_rows = 8, bool known = true) {
    BatcherOptions options;
    options.policy = {PolicyKind::kBusy, max_rows, 0};
    options.pending.batched = true;
    options.workers = workers;
    batcher = std::make_unique<Batcher>(puppet, clock, options);
    if (known) Seed(batcher->cost());
  }

  Code Submit(Nanos allowed = kNever, int64_t rows = 1) {
    Request* const request = requests.Make(1, rows);
    if (allowed != kNever) request->deadline = clock.Now() + allowed;
    return batcher->Submit(request);
  }

  void Occupy(size_t workers) {
    for (size_t i = 0; i < workers; ++i) {
      EXPECT_EQ(Submit(), Code::kOk);
      puppet.Started(i);
    }
  }

  FakeClock clock;
  Puppet puppet;
  std::shared_ptr<Collector> sink = std::make_shared<Collector>();
  Requests requests{sink.get()};
  std::unique_ptr<Batcher> batcher;
};

TEST_F(AdmissionTest, AdmitsEveryRequestWhileCostsAreUnknown) {
  Open(1, 8, false);
  Occupy(1);
  EXPECT_EQ(Submit(1), Code::kOk);
}

TEST_F(AdmissionTest, RefusesADeadlineShorterThanTheRunAsExceeded) {
  Open();
  EXPECT_EQ(Submit(999), Code::kDeadlineExceeded);
  EXPECT_EQ(Submit(1000), Code::kOk);
}

TEST_F(AdmissionTest, RefusesMoreRowsThanTheDeadlineAllows) {
  Open();
  EXPECT_EQ(Submit(1699, 8), Code::kDeadlineExceeded);
  EXPECT_EQ(Submit(1700, 8), Code::kOk);
}

TEST_F(AdmissionTest, RefusesADeadlineBehindTheRunInProgressAsUnavailable) {
  Open();
  Occupy(1);
  EXPECT_EQ(Submit(1999), Code::kUnavailable);
  EXPECT_EQ(Submit(999), Code::kDeadlineExceeded);
  EXPECT_EQ(Submit(2000), Code::kOk);
}

TEST_F(AdmissionTest, CountsOnlyTheRestOfTheRunInProgress) {
  Open();
  Occupy(1);
  clock.Advance(600);
  EXPECT_EQ(Submit(1399), Code::kUnavailable);
  EXPECT_EQ(Submit(1400), Code::kOk);
}

TEST_F(AdmissionTest, ExpectsARunLongerThanItsCostToEndAtOnce) {
  Open();
  Occupy(1);
  clock.Advance(50'000);
  EXPECT_EQ(Submit(1000), Code::kOk);
}

TEST_F(AdmissionTest, AdmitsARequestIfOneWorkerIsIdle) {
  Open(2);
  Occupy(1);
  EXPECT_EQ(Submit(1000), Code::kOk);
}

TEST_F(AdmissionTest, AdmitsEveryRequestWithoutADeadline) {
  Open();
  Occupy(1);
  EXPECT_EQ(Submit(), Code::kOk);
}

TEST_F(AdmissionTest, ARefusedRequestDoesNotCountAsWaiting) {
  Open();
  Occupy(1);
  EXPECT_EQ(Submit(1500), Code::kUnavailable);
  EXPECT_EQ(Submit(10), Code::kDeadlineExceeded);
  const BatcherStats stats = batcher->Stats();
  EXPECT_EQ(stats.submitted, 1u);
  EXPECT_EQ(stats.rejected, 2u);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.expired, 0u);
}

TEST_F(AdmissionTest, CountsTheRequestsAhead) {
  Open();
  Occupy(1);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Submit(), Code::kOk);
  // As patient as those: behind the run and a full batch of them.
  const Nanos patient = 2'000'000'000;
  EXPECT_EQ(Submit(patient), Code::kOk);
  clock.Advance(patient - 100);
  EXPECT_EQ(Submit(1999 + 1700), Code::kOk) << "more urgent than all of them";
}

TEST_F(AdmissionTest, CountsAFullBatchOfEquallyUrgentRequestsAhead) {
  Open();
  Occupy(1);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Submit(1'000'000), Code::kOk);
  EXPECT_EQ(Submit(1000 + 1700 + 1699), Code::kUnavailable);
  EXPECT_EQ(Submit(1000 + 1700 + 1700), Code::kOk) << "its own run fills up meanwhile";
}

TEST_F(AdmissionTest, LessThanAFullBatchAheadSharesTheBatch) {
  Open();
  Occupy(1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Submit(1'000'000), Code::kOk);
  EXPECT_EQ(Submit(1000 + 1399), Code::kUnavailable);
  EXPECT_EQ(Submit(1000 + 1400), Code::kOk) << "five rows in one run";
}

TEST_F(AdmissionTest, LessUrgentRequestsDoNotCount) {
  Open();
  Occupy(1);
  for (int i = 0; i < 24; ++i) {
    Request* const low = requests.Make(1);
    low->priority = 1;
    low->deadline = clock.Now() + 1'000'000;
    EXPECT_EQ(batcher->Submit(low), Code::kOk);
  }
  EXPECT_EQ(Submit(2000), Code::kOk);
}

TEST_F(AdmissionTest, TwoWorkersRunTwoBatchesAtATime) {
  Open(2);
  Occupy(2);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Submit(1'000'000), Code::kOk);
  EXPECT_EQ(Submit(1000 + 1699), Code::kUnavailable);
  EXPECT_EQ(Submit(1000 + 1700), Code::kOk);
}

TEST_F(AdmissionTest, CostsThatRefuseEverythingAreMeasuredAgain) {
  Open();
  int refused = 0;
  while (Submit(500) == Code::kDeadlineExceeded) ++refused;
  EXPECT_EQ(refused, 15);
  // It runs although it is expected to be late.
  puppet.Started(0);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Submit(500), Code::kDeadlineExceeded) << "not while it runs";
}

TEST_F(AdmissionTest, AnIdleModelExpectsNoWait) {
  Open();
  EXPECT_EQ(batcher->ExpectedWait(), 0);
}

TEST_F(AdmissionTest, UnknownCostsExpectNoWait) {
  Open(1, 8, false);
  Occupy(1);
  EXPECT_EQ(Submit(), Code::kOk);
  EXPECT_EQ(batcher->ExpectedWait(), 0);
}

TEST_F(AdmissionTest, TheWaitIsTheRestOfTheRunAndTheQueue) {
  Open(1, 8);
  Occupy(1);
  EXPECT_EQ(batcher->ExpectedWait(), 1000);
  clock.Advance(400);
  EXPECT_EQ(batcher->ExpectedWait(), 600);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(Submit(), Code::kOk);
  EXPECT_NEAR(static_cast<double>(batcher->ExpectedWait()), 600 + 2 * 1700, 10);
  EXPECT_NEAR(static_cast<double>(batcher->Stats().expected_wait), 600 + 2 * 1700, 10);
}

TEST_F(AdmissionTest, WorkersShareTheQueue) {
  Open(2, 8);
  Occupy(2);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(Submit(), Code::kOk);
  EXPECT_NEAR(static_cast<double>(batcher->ExpectedWait()), 1000 + 1700, 10);
}

// The queue alone, in a time of its own.
class DropTest : public testing::Test {
 protected:
  DropTest() { Seed(cost); }

  Request* Add(Nanos deadline = kNever, int64_t rows = 1) {
    Request* const request = requests.Make(0, rows);
    request->deadline = deadline;
    request->sequence = sequence++;
    pending.Add(request);
    return request;
  }

  void Take(int64_t max_rows, Nanos now = 0) {
    batch.clear();
    dropped.clear();
    pending.Take(max_rows, now, cost, batch, dropped);
  }

  Requests requests;
  CostModel cost;
  Pending pending{{.batched = true}};
  Taken batch;
  Taken dropped;
  uint64_t sequence = 0;
};

TEST_F(DropTest, ARequestThatIsTooLateEvenAloneIsDropped) {
  Request* const late = Add(999);
  Take(8);
  EXPECT_EQ(dropped, Taken{late});
  EXPECT_TRUE(batch.empty());
}

TEST_F(DropTest, ARequestThatJustMeetsItsDeadlineRuns) {
  Request* const request = Add(1000);
  Take(8);
  EXPECT_EQ(batch, Taken{request});
}

TEST_F(DropTest, AnIncompleteBatchShrinksForItsMostUrgentRequest) {
  Request* const urgent = Add(1300);
  for (int i = 0; i < 5; ++i) Add();
  Take(8);
  EXPECT_TRUE(dropped.empty());
  ASSERT_EQ(batch.size(), 4u);  // 6 rows take 1,500, 4 take 1,300
  EXPECT_EQ(batch.front(), urgent);
  EXPECT_EQ(pending.size(), 2u);
}

TEST_F(DropTest, AFullBatchDoesNotShrink) {
  Request* const late = Add(1300);
  Request* const makes_it = Add(1700);
  for (int i = 0; i < 8; ++i) Add();
  Take(8);
  EXPECT_EQ(dropped, Taken{late});
  ASSERT_EQ(batch.size(), 8u);
  EXPECT_EQ(batch.front(), makes_it);
}

TEST_F(DropTest, ABatchShrinksOnceLessThanAFullBatchWaits) {
  Add(1300);
  Request* const next = Add(1301);
  for (int i = 0; i < 6; ++i) Add();
  Take(8);
  EXPECT_EQ(dropped.size(), 1u);
  EXPECT_EQ(batch.front(), next);
  EXPECT_LT(batch.size(), 7u);
}

TEST_F(DropTest, ABatchOfTheCheapestSizeCountsAsFull) {
  cost.Seed({64, 1e6, 1e6, 1});  // dear a row: 8 rows are best
  Request* const late = Add(1300);
  for (int i = 0; i < 8; ++i) Add();
  Take(64);
  EXPECT_EQ(dropped, Taken{late});
  EXPECT_EQ(batch.size(), 8u);
}

TEST_F(DropTest, UnknownCostsDropOnlyOverdueRequests) {
  Request* const over = Add(500);
  Request* const almost = Add(501);
  pending.Take(8, 500, CostModel(), batch, dropped);
  EXPECT_EQ(dropped, Taken{over});
  EXPECT_EQ(batch, Taken{almost});
}

TEST_F(DropTest, OverdueRequestsBehindTheFirstAreNotRun) {
  Request* const first = Add(5000);
  Request* const low = requests.Make(0);
  low->priority = 1;
  low->deadline = 100;
  pending.Add(low);
  Take(8, 100);
  EXPECT_EQ(batch, Taken{first});
  EXPECT_EQ(dropped, Taken{low});
}

// One request is served each time unit, and the queue never runs dry.
class Line {
 public:
  explicit Line(const PendingOptions& options) : pending_(options) {}

  Request* Add(Nanos now, uint8_t priority, Nanos deadline = kNever) {
    Request* const request = requests_.Make(0);
    request->submitted = now;
    request->sequence = sequence_++;
    request->priority = priority;
    request->deadline = deadline;
    pending_.Add(request);
    return request;
  }

  Request* Serve(Nanos now) {
    Taken batch;
    Taken dropped;
    pending_.Age(now);
    pending_.Take(1, now, cost_, batch, dropped);
    return batch.front();
  }

 private:
  Requests requests_;
  CostModel cost_;
  Pending pending_;
  uint64_t sequence_ = 0;
};

TEST(Aging, TheLeastUrgentRequestIsServedOnceItsLevelHasRisen) {
  constexpr Nanos kAging = 20;
  for (const int level : {1, 7, 200, 255}) {
    Line line({.batched = true, .aging = kAging});
    Request* const old = line.Add(0, static_cast<uint8_t>(level));
    for (int i = 0; i < 3; ++i) line.Add(0, 0);
    Nanos now = 0;
    do {
      ++now;
      line.Add(now, 0);
    } while (line.Serve(now) != old);
    EXPECT_GE(now, level * kAging) << level;
    EXPECT_LE(now, level * kAging + kAging / 4 + 1) << level;
    EXPECT_EQ(old->priority, level) << "what the caller asked for stays";
  }
}

TEST(Aging, EqualAgesKeepTheirLevels) {
  Line line({.batched = true, .aging = 20});
  Request* const low = line.Add(0, 9);
  Request* const high = line.Add(0, 5);
  EXPECT_EQ(line.Serve(60), high);
  EXPECT_EQ(line.Serve(60), low);
}

TEST(Aging, ARequestThatHasRisenIsOrderedByItsDeadline) {
  Line line({.batched = true, .patience = 1000, .aging = 20});
  Request* const risen = line.Add(0, 1, 500);
  Request* const later = line.Add(20, 0, 600);
  Request* const sooner = line.Add(20, 0, 400);
  EXPECT_EQ(line.Serve(20), sooner);
  EXPECT_EQ(line.Serve(20), risen);
  EXPECT_EQ(line.Serve(20), later);
}

TEST(Patience, ARequestWithoutADeadlineIsOrderedByThePatience) {
  Line line({.batched = true, .patience = 1000});
  Request* const patient = line.Add(100, 0);
  Request* const later = line.Add(100, 0, 1101);
  Request* const sooner = line.Add(100, 0, 1099);
  EXPECT_EQ(line.Serve(100), sooner);
  EXPECT_EQ(line.Serve(100), patient);
  EXPECT_EQ(line.Serve(100), later);
}

TEST(Patience, DeadlinesDoNotPushARequestBackForEver) {
  Line line({.batched = true, .patience = 1000, .aging = 1'000'000});
  Request* const patient = line.Add(0, 0);
  for (int i = 0; i < 3; ++i) line.Add(0, 0, 100);
  Nanos now = 0;
  do {
    ++now;
    line.Add(now, 0, now + 100);
  } while (line.Serve(now) != patient);
  EXPECT_GE(now, 890);
  EXPECT_LE(now, 1000);
}

}  // namespace
}  // namespace millrace
