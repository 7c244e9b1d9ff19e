// Requests that run on the thread that submits them: when they do, and when workers do better.
#include <gtest/gtest.h>

#include "batching/batcher.h"
#include "support/clock.h"
#include "support/collector.h"
#include "support/executors.h"

namespace millrace {
namespace {

constexpr Nanos kLimit = 50'000;

// Stepped by hand, so that what waits and what runs is certain.
class InlineTest : public testing::Test {
 protected:
  explicit InlineTest(double cost = 1000) {
    BatcherOptions options;
    options.threads = false;
    options.pending.batched = true;
    options.policy = {PolicyKind::kBusy, 8, 0};
    options.inline_limit = kLimit;
    batcher = std::make_unique<Batcher>(executor, clock, options);
    batcher->cost().Seed({1, cost, cost, 1});
    handle = executor.NewHandle();
  }

  bool RunInline(Nanos deadline = kNever) {
    Request* const request = requests.Make(21);
    request->deadline = deadline;
    if (!batcher->RunInline(request, *handle, staging)) return false;
    EXPECT_EQ(test::OutputOf(*request), std::vector<float>{42});
    return true;
  }

  // One batch of so many requests, by the worker.
  void Batch(int requests_in_it) {
    for (int i = 0; i < requests_in_it; ++i) {
      ASSERT_EQ(batcher->Submit(requests.Make(1)), Code::kOk);
    }
    while (batcher->Stats().queued > 0) batcher->Turn(0);
  }

  test::FakeClock clock;
  Nanos takes = 0;
  test::FunctionExecutor executor{[this](auto inputs, test::OwnedOutputs& outputs) {
    clock.Advance(takes);
    return test::Double(inputs, outputs);
  }};
  std::shared_ptr<test::Collector> sink = std::make_shared<test::Collector>();
  test::Requests requests{sink.get()};
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<RunHandle> handle;
  Staging staging;
};

TEST_F(InlineTest, RunsShortRequestsOfAnIdleModel) {
  EXPECT_TRUE(RunInline());
  EXPECT_TRUE(RunInline());
  const BatcherStats stats = batcher->Stats();
  EXPECT_EQ(stats.inline_runs, 2u);
  EXPECT_EQ(stats.inline_limit, kLimit);
  EXPECT_EQ(stats.submitted, 2u);
  EXPECT_EQ(stats.completed, 2u);
  EXPECT_EQ(stats.batches, 2u);
}

TEST_F(InlineTest, DoesNotRunWhileARequestWaits) {
  ASSERT_EQ(batcher->Submit(requests.Make(1)), Code::kOk);
  EXPECT_FALSE(RunInline());
  batcher->Turn(0);
  EXPECT_TRUE(RunInline());
}

TEST_F(InlineTest, DoesNotRunPastTheDeadline) {
  EXPECT_FALSE(RunInline(clock.Now() + 1000));
  EXPECT_TRUE(RunInline(clock.Now() + 1001));
}

TEST_F(InlineTest, LargeBatchesKeepRequestsWithTheWorkers) {
  Batch(3);
  EXPECT_TRUE(RunInline());
  Batch(4);
  EXPECT_FALSE(RunInline());
}

TEST_F(InlineTest, OneSmallBatchDoesNotAllowInlineRunsAgain) {
  Batch(8);
  for (int i = 0; i < 15; ++i) {
    Batch(1 + i % 2);
    EXPECT_FALSE(RunInline()) << i;
  }
  Batch(1);
  EXPECT_TRUE(RunInline());
}

TEST_F(InlineTest, BatchesOfMediumSizeDoNotAllowInlineRunsAgain) {
  Batch(4);
  for (int i = 0; i < 40; ++i) Batch(3);
  EXPECT_FALSE(RunInline());
}

TEST_F(InlineTest, ALongRunKeepsRequestsWithTheWorkersForAWhile) {
  takes = 21 * kLimit;
  EXPECT_TRUE(RunInline());
  takes = 0;
  for (int i = 0; i < 15; ++i) {
    EXPECT_FALSE(RunInline());
    Batch(1);
  }
  Batch(1);
  EXPECT_TRUE(RunInline());
}

class LongInlineTest : public InlineTest {
 protected:
  LongInlineTest() : InlineTest(kLimit + 1) {}
};

TEST_F(LongInlineTest, DoesNotRunRequestsThatTakeLongerThanAWakeUp) { EXPECT_FALSE(RunInline()); }

}  // namespace
}  // namespace millrace
