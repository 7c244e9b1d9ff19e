// The generator with its own threads: waking up, closing, and steps that take too long.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "generation/generations.h"
#include "generation/generator.h"
#include "support/clock.h"

namespace millrace {
namespace {

using test::Alone;
using test::FakeClock;
using test::FakeDecoder;
using test::FakeHandle;
using test::FakeRun;
using test::GenerationCollector;
using test::Generations;
using test::OutcomeOf;

DecoderFacts Facts() {
  DecoderFacts facts;
  facts.mixed_lengths = facts.chunks = true;
  facts.vocabulary = 32;
  facts.cache_bytes = 8;
  return facts;
}

// Lets runs begin and end when a test says so.
class Gate {
 public:
  // Called by a run: waits until it may end.
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || allowed_ > 0; });
    if (!open_) --allowed_;
  }
  void AwaitRun(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }
  void Allow() {
    const std::lock_guard lock(mutex_);
    ++allowed_;
    changed_.notify_all();
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t arrived_ = 0;  // guarded by mutex_
  int allowed_ = 0;     // guarded by mutex_
  bool open_ = false;   // guarded by mutex_
};

class GeneratorThreadsTest : public testing::Test {
 protected:
  ~GeneratorThreadsTest() override {
    gate.Open();
    generator.reset();
  }

  void Open(GeneratorOptions options = {}) {
    decoder.on_run = [this](const FakeRun&, FakeHandle& handle) {
      gate.Pass();
      return handle.terminated.load() ? Status(Code::kDeadlineExceeded, "Terminated") : Status();
    };
    generator = std::make_unique<Generator>(decoder, clock, options);
  }

  void ExpectAlone(const GenerationRequest& request) {
    EXPECT_TRUE(request.status.ok()) << request.status.message();
    FakeDecoder other(Facts());
    EXPECT_EQ(OutcomeOf(request), Alone(request, other));
  }

  FakeClock clock;
  FakeDecoder decoder{Facts()};
  Gate gate;
  std::shared_ptr<GenerationCollector> sink = std::make_shared<GenerationCollector>();
  Generations requests{sink.get()};
  std::unique_ptr<Generator> generator;
};

TEST_F(GeneratorThreadsTest, AnIdleThreadIsWoken) {
  gate.Open();
  Open();
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(generator->Submit(requests.Make(4, 3)).ok());
    sink->Await(i + 1);
    ExpectAlone(requests[i]);
  }
}

TEST_F(GeneratorThreadsTest, RequestsMayBeEnqueuedBeforeTheyAreAnnounced) {
  gate.Open();
  Open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(generator->Enqueue(requests.Make(4, 3)).ok());
  generator->Wake();
  sink->Await(4);
  for (size_t i = 0; i < 4; ++i) ExpectAlone(requests[i]);
}

TEST_F(GeneratorThreadsTest, ARequestIsCancelledFromAnotherThread) {
  Open();
  GenerationRequest* const request = requests.Make(4, 1000);
  ASSERT_TRUE(generator->Submit(request).ok());
  gate.AwaitRun(1);
  std::thread([&] { request->cancelled.store(true); }).join();
  gate.Open();
  sink->Await(1);
  EXPECT_EQ(request->status.code(), Code::kCancelled);
}

TEST_F(GeneratorThreadsTest, CloseWaitsForAcceptedRequests) {
  Open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(generator->Submit(requests.Make(4, 5)).ok());
  gate.AwaitRun(1);
  std::atomic<bool> closed{false};
  std::thread closer([&] {
    generator->Close();
    closed.store(true);
  });
  while (generator->Submit(requests.Make(4, 5)).code() != Code::kFailedPrecondition) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(closed.load());
  gate.Open();
  closer.join();
  const uint64_t accepted = generator->Stats().submitted;
  EXPECT_GE(accepted, 3u);
  EXPECT_EQ(sink->Await(accepted).size(), accepted);
  for (size_t i = 0; i < accepted; ++i) ExpectAlone(requests[i]);
  generator->Close();
}

TEST_F(GeneratorThreadsTest, AStepThatTakesTooLongFailsItsRequestsAtOnce) {
  GeneratorOptions options;
  options.run_limit = 2'000'000;
  Open(options);
  ASSERT_TRUE(generator->Submit(requests.Make(4, 5)).ok());
  gate.AwaitRun(1);
  EXPECT_EQ(generator->Stats().stuck_instances, 0u);
  clock.Advance(3'000'000);
  // Its run has not returned.
  EXPECT_EQ(sink->AwaitEarly(1), std::vector<uint32_t>{0});
  EXPECT_EQ(sink->finished(), 0u);
  EXPECT_EQ(generator->Stats().stuck_instances, 1u);
  gate.Allow();
  sink->Await(1);
  EXPECT_EQ(requests[0].status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(generator->Stats().stuck_instances, 0u);
  EXPECT_EQ(generator->Stats().expired, 1u);
  // The generator goes on.
  gate.Open();
  ASSERT_TRUE(generator->Submit(requests.Make(4, 5)).ok());
  sink->Await(2);
  ExpectAlone(requests[1]);
}

TEST_F(GeneratorThreadsTest, AStepThatReturnsInSpiteOfItsEndFailsToo) {
  GeneratorOptions options;
  options.run_limit = 2'000'000;
  Open(options);
  decoder.on_run = [this](const FakeRun&, FakeHandle&) {
    gate.Pass();
    return Status();
  };
  ASSERT_TRUE(generator->Submit(requests.Make(4, 5)).ok());
  gate.AwaitRun(1);
  clock.Advance(3'000'000);
  sink->AwaitEarly(1);
  gate.Open();
  sink->Await(1);
  EXPECT_EQ(requests[0].status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(requests[0].steps, 1u);
}

TEST_F(GeneratorThreadsTest, GeneratorsShareTheirDevice) {
  DeviceShare share(1);
  GeneratorOptions options;
  options.share = &share;
  gate.Open();
  Open(options);
  FakeDecoder other_decoder(Facts());
  {
    Generator other(other_decoder, clock, options);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE((i % 2 == 0 ? *generator : other).Submit(requests.Make(4, 20)).ok());
    }
    sink->Await(20);
  }
  for (size_t i = 0; i < 20; ++i) ExpectAlone(requests[i]);
  generator.reset();
}

// A sink that nobody keeps but itself, until its request is back.
struct SelfishSink final : GenerationSink {
  void Tokens(GenerationRequest&, std::span<const int32_t>) noexcept override {}
  void Finish(GenerationRequest*) noexcept override { self.reset(); }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}
  void Flush() noexcept override { flushed.store(true); }

  static inline std::atomic<bool> flushed{false};
  std::shared_ptr<SelfishSink> self;
};

TEST_F(GeneratorThreadsTest, TheLastFinishMayReleaseTheSink) {
  gate.Open();
  Open();
  GenerationRequest* const request = requests.Make(4, 3);
  auto selfish = std::make_shared<SelfishSink>();
  request->sink = selfish.get();
  SelfishSink& kept = *selfish;
  kept.self = std::move(selfish);
  ASSERT_TRUE(generator->Submit(request).ok());
  generator->Close();
  EXPECT_TRUE(SelfishSink::flushed.load());
}

}  // namespace
}  // namespace millrace
