// Workers of a device with memory of its own: one copies the next batch while another waits for the run.
#include "batching/staged.h"

#include <gtest/gtest.h>

#include <memory>

#include "batching/batcher.h"
#include "support/clock.h"
#include "support/collector.h"
#include "support/staged.h"

namespace millrace {
namespace {

using test::OutputOf;
using test::Collector;
using test::FakeClock;
using test::Requests;
using test::StagedPuppet;
using Floats = std::vector<float>;

TEST(DeviceQueue, ARunBeginsWhenTheBatchBeforeHasLeft) {
  DeviceQueue queue;
  DeviceQueue::Place a;
  DeviceQueue::Place b;
  DeviceQueue::Place c;
  queue.Enter(a, 10);
  queue.Enter(b, 11);
  queue.Enter(c, 12);
  EXPECT_EQ(a.since(), 10);
  EXPECT_EQ(b.since(), kNever);
  queue.Leave(a, 20);
  EXPECT_EQ(a.since(), 10);
  EXPECT_EQ(b.since(), 20);
  EXPECT_EQ(c.since(), kNever);
  queue.Leave(b, 25);
  EXPECT_EQ(c.since(), 25);
  queue.Leave(c, 30);
  queue.Enter(a, 40);
  EXPECT_EQ(a.since(), 40);
}

TEST(DeviceQueue, ABatchThatFailsEarlyLetsTheNextRun) {
  DeviceQueue queue;
  DeviceQueue::Place a;
  DeviceQueue::Place b;
  DeviceQueue::Place c;
  queue.Enter(a, 1);
  queue.Enter(b, 2);
  queue.Enter(c, 3);
  queue.Leave(b, 4);
  EXPECT_EQ(b.since(), 4);
  EXPECT_EQ(c.since(), kNever);
  queue.Leave(a, 9);
  EXPECT_EQ(c.since(), 9);
}

class StagedTest : public testing::Test {
 protected:
  ~StagedTest() override {
    if (device != nullptr) device->Release();
    batcher.reset();
  }

  void Open(int64_t rows, size_t devices = 1, Nanos run_limit = 0) {
    device = std::make_unique<StagedPuppet>(clock, devices);
    BatcherOptions options;
    options.policy = {PolicyKind::kBusy, rows, 0};
    options.pending.batched = true;
    options.workers = static_cast<uint32_t>(device->depth());
    options.devices = static_cast<uint32_t>(device->devices());
    options.run_limit = run_limit;
    batcher = std::make_unique<Batcher>(*device, clock, options);
  }

  Request* Submit(float value, Nanos deadline = kNever) {
    Request* const request = requests.Make(value);
    request->deadline = deadline;
    request->slot = slot++;
    EXPECT_EQ(batcher->Submit(request), Code::kOk);
    return request;
  }

  FakeClock clock;
  std::shared_ptr<Collector> sink = std::make_shared<Collector>();
  Requests requests{sink.get()};
  uint32_t slot = 0;
  std::unique_ptr<StagedPuppet> device;
  std::unique_ptr<Batcher> batcher;
};

TEST_F(StagedTest, AFullBatchIsCopiedWhileAnotherRuns) {
  Open(2);
  Submit(1);
  EXPECT_EQ(device->Begun(0), Floats{1});
  Submit(2);
  Submit(3);
  EXPECT_EQ(device->Begun(1), (Floats{2, 3}));  // and the first has not finished
  device->FinishUpTo(2);
  sink->Await(3);
  EXPECT_EQ(device->most(), 2u);
}

TEST_F(StagedTest, PartsAreNotGathered) {
  Open(3);
  Submit(1);
  device->Begun(0);
  for (float value : {2.0F, 3.0F, 4.0F}) Submit(value);
  device->Begun(1);
  EXPECT_EQ(device->PartsOf(0), 1u);
  EXPECT_EQ(device->PartsOf(1), 3u);
}

TEST_F(StagedTest, AnIncompleteBatchGrowsWhileTheDeviceIsBusy) {
  Open(4);
  Submit(1);
  device->Begun(0);
  for (float value : {2.0F, 3.0F, 4.0F}) Submit(value);
  EXPECT_EQ(device->batches(), 1u);
  device->FinishUpTo(1);
  EXPECT_EQ(device->Begun(1), (Floats{2, 3, 4}));
  device->FinishUpTo(2);
  sink->Await(4);
  EXPECT_EQ(device->batches(), 2u);
  EXPECT_EQ(device->most(), 1u);
}

TEST_F(StagedTest, NoMoreBatchesBeginThanTheDeviceHoldsAndTheyRunInOrder) {
  Open(1);
  Requests others(sink.get());
  // One after another: of two workers that take a batch at once either may be the first on the device.
  Submit(1);
  EXPECT_EQ(device->Begun(0), Floats{1});
  Submit(2);
  EXPECT_EQ(device->Begun(1), Floats{2});
  Submit(3);
  Submit(4);
  EXPECT_EQ(device->batches(), 2u);
  for (size_t done = 1; done <= 4; ++done) {
    device->FinishUpTo(done);
    const std::vector<Request*> delivered = sink->Await(done);
    EXPECT_EQ(OutputOf(*delivered[done - 1]), Floats{2.0F * static_cast<float>(done)});
    if (done <= 2) {
      EXPECT_EQ(device->Begun(done + 1), Floats{static_cast<float>(done + 2)});
    }
  }
  EXPECT_EQ(device->most(), 2u);
}

TEST_F(StagedTest, EveryDeviceHasABatchBeforeOneWaits) {
  Open(2, 2);
  Submit(1);
  EXPECT_EQ(device->Begun(0), Floats{1});
  Submit(2);
  EXPECT_EQ(device->Begun(1), Floats{2});
  Submit(3);  // both are busy
  Submit(4);
  EXPECT_EQ(device->Begun(2), (Floats{3, 4}));
}

TEST_F(StagedTest, WaitingForTheDeviceCountsAsQueueTimeAndNotAsCost) {
  Open(1);
  Request* const first = Submit(1);
  device->Begun(0);
  Request* const second = Submit(2);
  device->Begun(1);
  clock.Advance(100);
  device->FinishUpTo(1);
  sink->Await(1);
  clock.Advance(10);
  device->FinishUpTo(2);
  sink->Await(2);
  EXPECT_EQ(first->finished - first->started, 100);
  EXPECT_LE(second->finished - second->started, 10);
  EXPECT_GE(second->started, first->started + 100);
}

TEST_F(StagedTest, AFailedBatchIsDividedAndOnlyTheBadRequestFails) {
  Open(4);
  device->Judge([](const Floats& values) {
    const bool poisoned = std::ranges::find(values, 13.0F) != values.end();
    return poisoned ? Status(Code::kInternal, "Poison") : Status();
  });
  Submit(0);
  device->Begun(0);
  std::vector<Request*> batch;
  for (float value : {11.0F, 12.0F, 13.0F, 14.0F}) batch.push_back(Submit(value));
  EXPECT_EQ(device->Begun(1), (Floats{11, 12, 13, 14}));
  device->Release();
  sink->Await(5);
  for (const size_t good : {0, 1, 3}) EXPECT_TRUE(batch[good]->status.ok());
  EXPECT_EQ(batch[2]->status.message(), "Poison");
  EXPECT_EQ(OutputOf(*batch[3]), Floats{28});
  EXPECT_EQ(batcher->Stats().failed, 1u);
}

TEST_F(StagedTest, ABeginThatFailsOnceFailsNoRequest) {
  Open(2);
  Submit(0);
  device->Begun(0);
  device->Refuse({Code::kResourceExhausted, "Out of pinned memory"}, true);
  Request* const one = Submit(1);
  Request* const two = Submit(2);
  device->Begun(1);
  device->Release();
  sink->Await(3);
  EXPECT_EQ(OutputOf(*one), Floats{2});
  EXPECT_EQ(OutputOf(*two), Floats{4});
}

// The device gives an output row for each number.
TEST_F(StagedTest, WithoutBatchingTheDeviceAddsNoRows) {
  Open(2);
  device->Release();
  Request* const request = requests.Make(1, 1, 2);
  EXPECT_EQ(batcher->Submit(request), Code::kOk);
  sink->Await(1);
  EXPECT_TRUE(request->status.ok()) << request->status.message();
  EXPECT_EQ(device->batched(), (std::vector<bool>{true, false}));
}

TEST_F(StagedTest, ALostDeviceFailsEveryRequestOnce) {
  Open(2);
  Submit(0);
  device->Begun(0);
  device->Refuse({Code::kUnavailable, "Lost"});
  for (float value : {1.0F, 2.0F, 3.0F}) Submit(value);
  device->Release();
  const std::vector<Request*> delivered = sink->Await(4);
  EXPECT_EQ(delivered.size(), 4u);
  size_t lost = 0;
  for (const Request* request : delivered) lost += request->status.code() == Code::kUnavailable;
  EXPECT_EQ(lost, 3u);
  batcher->Close();
  const BatcherStats stats = batcher->Stats();
  EXPECT_EQ(stats.submitted, stats.completed + stats.failed);
}

TEST_F(StagedTest, CloseRunsAcceptedRequestsBehindABusyDevice) {
  Open(8);
  Submit(1);
  device->Begun(0);
  Request* const late = Submit(2);
  std::thread closing([this] { batcher->Close(); });
  device->Release();
  closing.join();
  sink->Await(2);
  EXPECT_EQ(OutputOf(*late), Floats{4});
}

TEST_F(StagedTest, ACancelledRequestBehindABusyDeviceDoesNotRun) {
  Open(4);
  Submit(1);
  device->Begun(0);
  Request* const gone = Submit(2);
  gone->cancelled.store(true);
  Request* const expired = Submit(3, clock.Now() + 50);
  clock.Advance(60);
  device->FinishUpTo(1);
  sink->Await(3);
  EXPECT_EQ(gone->status.code(), Code::kCancelled);
  EXPECT_EQ(expired->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(device->batches(), 1u);
}

TEST_F(StagedTest, TheRunLimitDoesNotCountTheTimeBehindAnotherBatch) {
  constexpr Nanos kLimit = 2'000'000;
  Open(1, 1, kLimit);
  Submit(1);
  device->Begun(0);
  Submit(2);
  device->Begun(1);
  clock.Advance(kLimit);
  EXPECT_EQ(sink->AwaitEarly(1), std::vector<uint32_t>{0});
  device->FinishUpTo(1);
  sink->Await(1);
  EXPECT_EQ(sink->AwaitEarly(1), std::vector<uint32_t>{0}) << "the second has only just begun";
  clock.Advance(kLimit);
  EXPECT_EQ(sink->AwaitEarly(2), (std::vector<uint32_t>{0, 1}));
}

TEST_F(StagedTest, WaitingTimesCountDevicesAndNotWorkers) {
  Open(1);
  batcher->cost().Observe(1, 1'000'000);
  Submit(1);
  device->Begun(0);
  EXPECT_EQ(batcher->ExpectedWait(), 1'000'000);
  Submit(2);
  device->Begun(1);
  EXPECT_EQ(batcher->ExpectedWait(), 2'000'000);
  Request* const hasty = requests.Make(3);
  hasty->deadline = clock.Now() + 2'500'000;
  EXPECT_EQ(batcher->Submit(hasty), Code::kUnavailable);
}

TEST_F(StagedTest, BorrowedMemoryIsReleasedOnceItIsCopied) {
  Open(1);
  Request* const request = requests.Make(7);
  request->borrow.Reset(true);
  EXPECT_EQ(batcher->Submit(request), Code::kOk);
  device->Begun(0);
  // The run goes on, and the owner may take the memory back: revoking does not wait.
  while (!request->borrow.TryRevoke()) std::this_thread::yield();
  device->Release();
  EXPECT_EQ(OutputOf(*sink->Await(1)[0]), Floats{14});
}

}  // namespace
}  // namespace millrace
