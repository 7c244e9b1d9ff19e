// Runs that take longer than a run may.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <thread>

#include "batching/batcher.h"
#include "support/collector.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::OutputOf;
using test::Collector;
using test::Requests;
using Slots = std::vector<uint32_t>;

// In real time the watchdog looks at this clock twice a limit.
constexpr Nanos kLimit = 2'000'000;

// A number that fails its run.
constexpr float kBad = 666;

// Moves only when told, and counts who looks: while every worker is in a run, only the watchdog does.
class WatchedClock final : public Clock {
 public:
  Nanos Now() const noexcept override {
    looks_.fetch_add(1);
    return now_.load();
  }
  void Advance(Nanos by) { now_.fetch_add(by); }
  void AwaitLooks(uint64_t count) const {
    for (const uint64_t from = looks_.load(); looks_.load() < from + count;) {
      std::this_thread::yield();
    }
  }

 private:
  std::atomic<Nanos> now_{1};
  mutable std::atomic<uint64_t> looks_{0};
};

class CountingHandle final : public RunHandle {
 public:
  explicit CountingHandle(std::atomic<int>& all) : all_(all) {}
  void Terminate() noexcept override {
    terminated.store(true);
    all_.fetch_add(1);
  }
  std::atomic<bool> terminated{false};

 private:
  std::atomic<int>& all_;
};

// Doubles numbers at once, but for negative ones: their runs last until they are released or, unless
// the model is stubborn, terminated.
class Endless final : public Executor {
 public:
  explicit Endless(bool stubborn) : stubborn_(stubborn) {}

  std::unique_ptr<RunHandle> NewHandle() override {
    return std::make_unique<CountingHandle>(terminations);
  }

  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override {
    auto& own = static_cast<CountingHandle&>(handle);
    own.terminated = false;
    runs.fetch_add(1);
    runs.notify_all();
    const std::vector<float> values = test::ValuesOf<float>(inputs[0]);
    if (std::ranges::find(values, kBad) != values.end()) {
      on_bad();
      return {Code::kInternal, "A bad number"};
    }
    if (values[0] < 0) {
      while (!released.load()) {
        if (!stubborn_ && own.terminated.load()) return {Code::kDeadlineExceeded, "Cut short"};
        std::this_thread::yield();
      }
    }
    auto block = std::make_shared<test::OwnedOutputs>();
    const Status status = test::Double(inputs, *block);
    outputs = std::move(block);
    return status;
  }

  void AwaitRuns(int count) {
    for (int now = runs.load(); now < count; now = runs.load()) runs.wait(now);
  }

  std::atomic<int> runs{0};
  std::atomic<int> terminations{0};
  std::atomic<bool> released{false};
  // Called in each run that a bad number fails.
  std::function<void()> on_bad = [] {};

 private:
  const bool stubborn_;
};

class WatchdogTest : public testing::Test {
 protected:
  ~WatchdogTest() override {
    stubborn.released = obedient.released = true;
    batcher.reset();
  }

  void Open(Endless& executor, int64_t rows = 1, uint32_t workers = 1, Nanos limit = kLimit) {
    BatcherOptions options;
    // Holds a batch back until it is full.
    options.policy = {PolicyKind::kTimer, rows, 1'000'000'000'000};
    options.pending.batched = true;
    options.workers = workers;
    options.run_limit = limit;
    batcher = std::make_unique<Batcher>(executor, clock, options);
  }

  Request* Submit(float value) {
    Request* const request = requests.Make(value);
    request->slot = slot++;
    EXPECT_EQ(batcher->Submit(request), Code::kOk);
    return request;
  }

  WatchedClock clock;
  Endless stubborn{true};
  Endless obedient{false};
  std::shared_ptr<Collector> sink = std::make_shared<Collector>();
  Requests requests{sink.get()};
  uint32_t slot = 0;
  std::unique_ptr<Batcher> batcher;
};

TEST_F(WatchdogTest, EveryRequestOfAnOverdueRunFailsOnce) {
  Open(stubborn, 3);
  for (int i = 0; i < 3; ++i) Submit(-1);
  stubborn.AwaitRuns(1);
  clock.Advance(kLimit);
  sink->AwaitEarly(3);
  clock.AwaitLooks(5);
  Slots early = sink->AwaitEarly(3);
  std::ranges::sort(early);
  EXPECT_EQ(early, (Slots{0, 1, 2}));
  EXPECT_GE(stubborn.terminations.load(), 1);
}

TEST_F(WatchdogTest, AWorkerIsStuckUntilItsRunReturnsAndServesAfterwards) {
  Open(stubborn);
  Request* const late = Submit(-1);
  stubborn.AwaitRuns(1);
  EXPECT_EQ(batcher->Stats().stuck_instances, 0u);
  clock.Advance(kLimit);
  sink->AwaitEarly(1);
  EXPECT_EQ(batcher->Stats().stuck_instances, 1u);
  EXPECT_EQ(batcher->Stats().running, 1u);
  EXPECT_TRUE(sink->Await(0).empty()) << "its memory is still in use";
  stubborn.released = true;
  EXPECT_EQ(sink->Await(1), std::vector{late});
  EXPECT_EQ(batcher->Stats().stuck_instances, 0u);
  Request* const next = Submit(4);
  sink->Await(2);
  EXPECT_EQ(OutputOf(*next), std::vector<float>{8});
}

TEST_F(WatchdogTest, AnOverdueRunIsTerminatedAndNotRepeated) {
  Open(obedient, 2);
  Request* const one = Submit(-1);
  Request* const other = Submit(-1);
  obedient.AwaitRuns(1);
  clock.Advance(kLimit);
  sink->Await(2);
  EXPECT_EQ(one->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(other->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(obedient.runs.load(), 1);
  EXPECT_EQ(batcher->Stats().stuck_instances, 0u);
  EXPECT_EQ(batcher->Stats().expired, 2u);
}

TEST_F(WatchdogTest, ARunWithinTheLimitIsNotTerminated) {
  Open(obedient);
  Request* const request = Submit(-1);
  obedient.AwaitRuns(1);
  clock.Advance(kLimit - 1);
  clock.AwaitLooks(4);
  EXPECT_EQ(obedient.terminations.load(), 0);
  obedient.released = true;
  sink->Await(1);
  EXPECT_TRUE(request->status.ok());
  EXPECT_EQ(sink->AwaitEarly(0), Slots{});
}

TEST_F(WatchdogTest, TheLimitIsForEachRun) {
  Open(stubborn);
  for (int i = 0; i < 3; ++i) {
    Submit(1);
    sink->Await(static_cast<size_t>(i) + 1);
    clock.Advance(kLimit);
  }
  clock.AwaitLooks(3);
  EXPECT_EQ(sink->AwaitEarly(0), Slots{});
  EXPECT_EQ(stubborn.terminations.load(), 0);
}

TEST_F(WatchdogTest, TheLimitIsForEachRunOfADividedBatch) {
  obedient.on_bad = [this] { clock.Advance(kLimit - 1); };
  Open(obedient, 2);
  Request* const slow = Submit(-1);
  Submit(kBad);
  // Both together fail just within the limit. Then each runs alone.
  obedient.AwaitRuns(2);
  clock.Advance(kLimit - 1);
  clock.AwaitLooks(4);
  EXPECT_EQ(obedient.terminations.load(), 0);
  clock.Advance(1);
  EXPECT_EQ(sink->AwaitEarly(1), Slots{0}) << "only the request that is running";
  sink->Await(2);
  EXPECT_EQ(slow->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(sink->AwaitEarly(1), Slots{0});
}

TEST_F(WatchdogTest, OtherWorkersGoOn) {
  Open(stubborn, 1, 2);
  Submit(-1);
  stubborn.AwaitRuns(1);
  clock.Advance(kLimit);
  sink->AwaitEarly(1);
  for (int i = 1; i <= 20; ++i) {
    Submit(1);
    sink->Await(static_cast<size_t>(i));
  }
  EXPECT_EQ(batcher->Stats().stuck_instances, 1u);
  EXPECT_EQ(batcher->Stats().completed, 20u);
}

TEST_F(WatchdogTest, AWorkerMayBeStuckAgain) {
  Open(obedient);
  for (size_t i = 1; i <= 5; ++i) {
    Submit(-1);
    obedient.AwaitRuns(static_cast<int>(i));
    clock.Advance(kLimit);
    sink->Await(i);
    EXPECT_EQ(sink->AwaitEarly(i).size(), i);
  }
  EXPECT_EQ(batcher->Stats().stuck_instances, 0u);
}

TEST_F(WatchdogTest, CloseWaitsForAnOverdueRunAndTerminatesIt) {
  Open(obedient);
  Request* const running = Submit(-1);
  obedient.AwaitRuns(1);
  Request* const queued = Submit(1);
  std::thread closer([this] { batcher->Close(); });
  clock.Advance(kLimit);
  closer.join();
  EXPECT_EQ(sink->Await(2), (std::vector{running, queued}));
  EXPECT_EQ(running->status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(queued->status.ok());
}

// The threads of a test without a batcher. ThreadSanitizer has one too.
#ifdef __SANITIZE_THREAD__
constexpr size_t kAlone = 2;
#else
constexpr size_t kAlone = 1;
#endif

// A thread that was joined may be listed for a moment longer, so there may be more at first, never
// fewer.
void AwaitThreads(size_t count) {
  for (;;) {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    const auto threads = static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
    ASSERT_GE(threads, count);
    if (threads == count) return;
    std::this_thread::yield();
  }
}

TEST_F(WatchdogTest, WithoutALimitNoRunIsWatched) {
  std::thread([] {}).join();  // ThreadSanitizer's own starts with the first
  AwaitThreads(kAlone);
  Open(stubborn, 1, 1, 0);
  AwaitThreads(kAlone + 1);
  batcher.reset();
  Open(stubborn, 1, 1, 1'000'000'000'000);
  AwaitThreads(kAlone + 2);
}

TEST_F(WatchdogTest, TheWatchdogEndsAtOnceHoweverLongItWouldSleep) {
  Open(stubborn, 1, 1, 86'400'000'000'000);
  batcher->Close();
}

}  // namespace
}  // namespace millrace
