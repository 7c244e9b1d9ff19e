#include "batching/batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "support/clock.h"
#include "support/collector.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::OutputOf;
using test::Collector;
using test::FakeClock;
using test::Puppet;
using test::Requests;
using Values = std::vector<float>;

// A batcher whose runs end when the test says so.
class BatcherTest : public testing::Test {
 protected:
  ~BatcherTest() override {
    puppet.Release();
    batcher.reset();
  }

  void Open(int64_t max_rows = 8, uint32_t workers = 1, uint32_t max_queue = 1024,
            Nanos max_delay = 0, std::vector<uint32_t> max_queue_by_priority = {}) {
    BatcherOptions options;
    options.policy = {max_delay > 0 ? PolicyKind::kTimer : PolicyKind::kBusy, max_rows, max_delay};
    options.pending.batched = true;
    options.max_queue = max_queue;
    options.max_queue_by_priority = std::move(max_queue_by_priority);
    options.workers = workers;
    batcher = std::make_unique<Batcher>(puppet, clock, options);
  }

  Request* Submit(float value) { return Accept(requests.Make(value)); }

  Request* Accept(Request* request) {
    EXPECT_EQ(batcher->Submit(request), Code::kOk);
    return request;
  }

  FakeClock clock;
  Puppet puppet;
  std::shared_ptr<Collector> sink = std::make_shared<Collector>();
  Requests requests{sink.get()};
  std::unique_ptr<Batcher> batcher;
};

TEST_F(BatcherTest, AnIdleWorkerRunsARequestAtOnce) {
  Open();
  Request* const request = Submit(3);
  EXPECT_EQ(puppet.Started(0), Values{3});
  puppet.Finish();
  EXPECT_EQ(sink->Await(1), std::vector{request});
  EXPECT_EQ(OutputOf(*request), Values{6});
}

TEST_F(BatcherTest, BatchesGrowOnlyWhileTheWorkerIsBusy) {
  Open();
  Submit(1);
  EXPECT_EQ(puppet.Started(0), Values{1});
  for (const float value : {2.f, 3.f, 4.f}) Submit(value);
  EXPECT_EQ(puppet.runs(), 1u);
  puppet.Finish();
  EXPECT_EQ(puppet.Started(1), (Values{2, 3, 4}));
  puppet.Finish();
  const auto finished = sink->Await(4);
  EXPECT_EQ(OutputOf(*finished[3]), Values{8});
  EXPECT_EQ(finished[3]->batch_rows, 3);
  EXPECT_EQ(batcher->Stats().batches, 2u);
}

TEST_F(BatcherTest, ABatchStaysWithinItsLimit) {
  Open(4);
  Submit(0);
  puppet.Started(0);
  for (int i = 1; i <= 6; ++i) Submit(static_cast<float>(i));
  puppet.Finish();
  EXPECT_EQ(puppet.Started(1), (Values{1, 2, 3, 4}));
  puppet.Finish();
  EXPECT_EQ(puppet.Started(2), (Values{5, 6}));
}

TEST_F(BatcherTest, UrgencyCountsUntilTheWorkerIsFree) {
  Open(1);
  Submit(0);
  puppet.Started(0);
  Request* const low = requests.Make(1);
  low->priority = 9;
  Accept(low);
  Request* const soon = requests.Make(2);
  soon->deadline = clock.Now() + 1000;
  Accept(soon);
  Request* const sooner = requests.Make(3);
  sooner->deadline = clock.Now() + 500;
  Accept(sooner);
  puppet.Release();
  EXPECT_EQ(puppet.Started(1), Values{3});
  EXPECT_EQ(puppet.Started(2), Values{2});
  EXPECT_EQ(puppet.Started(3), Values{1});
}

TEST_F(BatcherTest, CancellationCountsUntilTheWorkerIsFree) {
  Open();
  Submit(0);
  puppet.Started(0);
  Request* const cancelled = Submit(1);
  Request* const kept = Submit(2);
  cancelled->cancelled = true;
  puppet.Finish();
  EXPECT_EQ(puppet.Started(1), Values{2});
  puppet.Finish();
  sink->Await(3);
  EXPECT_EQ(cancelled->status.code(), Code::kCancelled);
  EXPECT_EQ(OutputOf(*kept), Values{4});
}

TEST_F(BatcherTest, ACancelledRequestInARunStillFinishes) {
  Open();
  Request* const request = Submit(1);
  puppet.Started(0);
  request->cancelled = true;
  puppet.Finish();
  sink->Await(1);
  EXPECT_TRUE(request->status.ok());
}

TEST_F(BatcherTest, ARequestWhoseDeadlinePassesInTheQueueFails) {
  Open();
  Submit(0);
  puppet.Started(0);
  Request* const request = requests.Make(1);
  request->deadline = clock.Now() + 100;
  Accept(request);
  clock.Advance(100);
  puppet.Finish();
  sink->Await(2);
  EXPECT_EQ(request->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(request->finished, clock.Now());
  EXPECT_EQ(puppet.runs(), 1u);
}

TEST_F(BatcherTest, AFullQueueRefusesARequestAndKeepsTheQueuedOnes) {
  Open(8, 1, 2);
  Submit(0);
  puppet.Started(0);
  Submit(1);
  Submit(2);
  EXPECT_EQ(batcher->Submit(requests.Make(3)), Code::kUnavailable);
  EXPECT_EQ(batcher->Submit(requests.Make(4)), Code::kUnavailable);
  EXPECT_EQ(batcher->Stats().rejected, 2u);
  EXPECT_EQ(batcher->Stats().queued, 2u);
  puppet.Finish();
  EXPECT_EQ(puppet.Started(1), (Values{1, 2}));
  Submit(5);
  puppet.Release();
  sink->Await(4);
}

TEST_F(BatcherTest, AFullPriorityLeavesTheOthersTheirPlaces) {
  Open(8, 1, 1024, 0, {0, 1});
  Submit(0);
  puppet.Started(0);
  const auto with = [this](float value, uint8_t priority) {
    Request* const request = requests.Make(value);
    request->priority = priority;
    return batcher->Submit(request);
  };
  EXPECT_EQ(with(1, 1), Code::kOk);
  EXPECT_EQ(with(2, 1), Code::kUnavailable);
  EXPECT_EQ(with(3, 0), Code::kOk);
  EXPECT_EQ(with(4, 2), Code::kOk);
  EXPECT_EQ(batcher->Stats().rejected, 1u);
  EXPECT_EQ(batcher->Stats().queued, 3u);
  puppet.Finish();
  EXPECT_EQ(puppet.Started(1), (Values{3, 1, 4}));
  // Its place is free once it runs.
  EXPECT_EQ(with(5, 1), Code::kOk);
  puppet.Release();
  sink->Await(5);
}

TEST_F(BatcherTest, CloseFinishesAcceptedRequestsAndRefusesOthers) {
  Open(2);
  Submit(0);
  puppet.Started(0);
  for (int i = 1; i <= 5; ++i) Submit(static_cast<float>(i));
  std::thread closer([this] { batcher->Close(); });
  puppet.Release();
  closer.join();
  EXPECT_EQ(sink->Await(6).size(), 6u);
  EXPECT_EQ(batcher->Submit(requests.Make(9)), Code::kFailedPrecondition);
  const BatcherStats stats = batcher->Stats();
  EXPECT_EQ(stats.completed, 6u);
  EXPECT_EQ(stats.rejected, 1u);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.running, 0u);
}

TEST_F(BatcherTest, CloseOfAnIdleBatcherReturnsAndMayBeRepeated) {
  Open(8, 3);
  batcher->Close();
  batcher->Close();
}

TEST_F(BatcherTest, SeveralThreadsMayCloseAtATime) {
  Open(8, 2);
  std::vector<std::thread> closers;
  for (int i = 0; i < 3; ++i) closers.emplace_back([this] { batcher->Close(); });
  for (std::thread& closer : closers) closer.join();
}

TEST_F(BatcherTest, SeveralWorkersRunAtTheSameTime) {
  Open(1, 2);
  Submit(1);
  puppet.Started(0);
  Submit(2);
  EXPECT_EQ(puppet.Started(1), Values{2});
  EXPECT_EQ(batcher->Stats().running, 2u);
  puppet.Release();
  sink->Await(2);
}

TEST_F(BatcherTest, AWorkerThatLeavesRequestsBehindWakesAnother) {
  Open(1, 3);
  Submit(1);
  puppet.Started(0);
  Submit(2);
  puppet.Started(1);
  Submit(3);
  Submit(4);
  EXPECT_EQ(puppet.Started(2), Values{3});
  puppet.Release();
  EXPECT_EQ(puppet.Started(3), Values{4});
}

TEST_F(BatcherTest, EachSinkGetsItsOwnRequestsOfABatchInOneChain) {
  Open();
  const auto other = std::make_shared<Collector>();
  Requests others{other.get()};
  Submit(0);
  puppet.Started(0);
  Submit(1);
  EXPECT_EQ(batcher->Submit(others.Make(2)), Code::kOk);
  Submit(3);
  EXPECT_EQ(batcher->Submit(others.Make(4)), Code::kOk);
  puppet.Finish();
  puppet.Finish();
  EXPECT_EQ(sink->Await(3).size(), 3u);
  const auto theirs = other->Await(2);
  EXPECT_EQ(OutputOf(*theirs[0]), Values{4});
  EXPECT_EQ(OutputOf(*theirs[1]), Values{8});
  EXPECT_EQ(sink->chains(), 2u);
  EXPECT_EQ(other->chains(), 1u);
}

TEST_F(BatcherTest, ASinkLivesUntilItsLastRequestIsFinished) {
  Open();
  auto brief = std::make_shared<Collector>();
  const std::weak_ptr<Collector> watch = brief;
  Requests own{brief.get()};
  ASSERT_EQ(batcher->Submit(own.Make(1)), Code::kOk);
  puppet.Started(0);
  puppet.Finish();
  brief->Await(1);
  brief.reset();
  batcher->Close();
  EXPECT_TRUE(watch.expired());
}

TEST_F(BatcherTest, AFailedRunFailsItsRequestAndTheWorkerGoesOn) {
  Open();
  Request* const bad = Submit(1);
  puppet.Started(0);
  puppet.Finish({Code::kInternal, "No"});
  sink->Await(1);
  EXPECT_EQ(bad->status.message(), "No");
  Request* const good = Submit(2);
  puppet.Finish();
  sink->Await(2);
  EXPECT_TRUE(good->status.ok());
  EXPECT_EQ(batcher->Stats().failed, 1u);
  EXPECT_EQ(batcher->Stats().completed, 1u);
}

TEST_F(BatcherTest, CostsAreLearntFromRunsThatSucceedOnly) {
  Open();
  const auto run = [&](size_t index, Nanos cost, Status status) {
    Submit(1);
    puppet.Started(index);
    const auto learnt = batcher->Stats().costs;
    clock.Advance(cost);
    puppet.Finish(std::move(status));
    sink->Await(index + 1);
    return learnt;
  };
  EXPECT_TRUE(run(0, 1'000, {Code::kInternal, "No"}).empty());
  EXPECT_TRUE(run(1, 7, {}).empty()) << "a failed run has taught a cost";
  const auto learnt = run(2, 7, {});
  ASSERT_EQ(learnt.size(), 1u);
  EXPECT_EQ(learnt[0].mean, 7);
}

TEST_F(BatcherTest, CostsAreNotLearntFromADividedBatch) {
  Open();
  Submit(1);
  puppet.Started(0);
  Submit(2);
  Submit(3);
  puppet.Finish({Code::kInternal, "No"});
  puppet.Started(1);
  puppet.Finish({Code::kInternal, "Divided"});
  puppet.Started(2);
  puppet.Finish();
  puppet.Started(3);
  puppet.Finish();
  sink->Await(3);
  Submit(4);
  puppet.Started(4);
  EXPECT_TRUE(batcher->Stats().costs.empty());
}

TEST_F(BatcherTest, WithADelayAnIncompleteBatchIsHeldBack) {
  Open(4, 1, 1024, 1000);
  Submit(1);
  clock.Advance(999);
  EXPECT_EQ(puppet.runs(), 0u);
  clock.Advance(1);
  EXPECT_EQ(puppet.Started(0), Values{1});
}

TEST_F(BatcherTest, AFullBatchIsNotHeldBack) {
  Open(2, 1, 1024, 1'000'000);
  Submit(1);
  Submit(2);
  EXPECT_EQ(puppet.Started(0), (Values{1, 2}));
}

TEST_F(BatcherTest, CloseRunsABatchThatIsHeldBack) {
  Open(4, 2, 1024, 1'000'000);
  Submit(1);
  puppet.Release();
  batcher->Close();
  EXPECT_EQ(sink->Await(1).size(), 1u);
}

TEST_F(BatcherTest, TheCountersAddUp) {
  Open(1, 1, 3);
  Submit(0);
  puppet.Started(0);
  Submit(1)->cancelled = true;
  Request* const late = requests.Make(2);
  late->deadline = clock.Now() + 5;
  Accept(late);
  Submit(3);
  EXPECT_EQ(batcher->Submit(requests.Make(4)), Code::kUnavailable);
  BatcherStats stats = batcher->Stats();
  EXPECT_EQ(stats.submitted, 4u);
  EXPECT_EQ(stats.queued, 3u);
  EXPECT_EQ(stats.running, 1u);
  clock.Advance(5);
  puppet.Finish();
  puppet.Started(1);
  puppet.Finish({Code::kInternal, "No"});
  sink->Await(4);
  batcher->Close();
  stats = batcher->Stats();
  EXPECT_EQ(stats.completed, 1u);
  EXPECT_EQ(stats.cancelled, 1u);
  EXPECT_EQ(stats.expired, 1u);
  EXPECT_EQ(stats.failed, 1u);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.batches, 2u);
  EXPECT_EQ(stats.rows, 2u);
  EXPECT_EQ(stats.queue.count, 2u);
  EXPECT_EQ(stats.compute.count, 2u);
}

TEST_F(BatcherTest, QueueAndRunTimesAreMeasuredSeparately) {
  Open();
  Submit(0);
  puppet.Started(0);
  Request* const request = Submit(1);
  clock.Advance(700);
  puppet.Finish();
  puppet.Started(1);
  clock.Advance(300);
  puppet.Finish();
  sink->Await(2);
  EXPECT_EQ(request->started - request->submitted, 700);
  EXPECT_EQ(request->finished - request->started, 300);
}

TEST_F(BatcherTest, ASpinningWorkerStillSleepsAndWakes) {
  BatcherOptions options;
  options.pending.batched = true;
  options.policy.max_rows = 4;
  options.spin = 100;
  batcher = std::make_unique<Batcher>(puppet, clock, options);
  puppet.Release();
  for (size_t i = 0; i < 50; ++i) {
    Submit(static_cast<float>(i));
    if (i % 2 == 0) clock.Advance(1000);
    sink->Await(i + 1);
  }
}

TEST_F(BatcherTest, EqualRequestsFinishInOrderOfSubmission) {
  Open(3);
  puppet.Release();
  std::vector<Request*> submitted;
  for (int i = 0; i < 500; ++i) submitted.push_back(Submit(static_cast<float>(i)));
  EXPECT_EQ(sink->Await(500), submitted);
}

}  // namespace
}  // namespace millrace
