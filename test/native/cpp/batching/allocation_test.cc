// A worker where memory runs out at any one of its allocations: every request is still delivered, once,
// and the next ones are served as if nothing had happened.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <new>
#include <stdexcept>
#include <utility>

#include "batching/batcher.h"
#include "support/clock.h"
#include "support/executors.h"

namespace {

// Allocations of this thread until one fails; below 0: none does.
thread_local int allocations_left = -1;

void* Allocate(std::size_t bytes) {
  if (allocations_left == 0) {
    allocations_left = -1;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace millrace {
namespace {

class Tally final : public CompletionSink {
 public:
  void Finish(Request* newest, Request* oldest) noexcept override {
    for (Request* request = newest;; request = request->next) {
      finished.push_back(request);
      if (request == oldest) break;
    }
  }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}

  std::vector<Request*> finished;
};

class AllocationTest : public testing::Test {
 protected:
  AllocationTest() {
    for (const auto& sink : sinks) sink->finished.reserve(64);
  }

  // Eight requests of two shapes and from two threads, one of them cancelled, one too late.
  void SubmitAll(Batcher& batcher, test::Requests* requests) {
    for (int i = 0; i < 8; ++i) {
      Request* const request = requests[i % 2].Make(static_cast<float>(i), 1, 1 + i / 4);
      request->cancelled = i == 5;
      if (i == 6) request->deadline = clock.Now() + 10;
      ASSERT_EQ(batcher.Submit(request), Code::kOk);
    }
  }

  // Turns until all eight are delivered, with the allocation of that number failing. Returns whether it came to
  // that allocation.
  bool Work(Batcher& batcher, int failing) {
    clock.Advance(20);
    allocations_left = failing;
    for (int turn = 0; turn < 100 && Finished() < 8; ++turn) batcher.Turn(0);
    return std::exchange(allocations_left, -1) < 0;
  }

  size_t Finished() const { return sinks[0]->finished.size() + sinks[1]->finished.size(); }

  test::FakeClock clock;
  std::array<std::shared_ptr<Tally>, 2> sinks = {std::make_shared<Tally>(), std::make_shared<Tally>()};
};

TEST_F(AllocationTest, EveryRequestIsFinishedWhicheverAllocationFails) {
  bool reached = true;
  int failing = 0;
  for (; reached && failing < 1000; ++failing) {
    test::FunctionExecutor executor(test::Double);
    BatcherOptions options;
    options.threads = false;
    options.pending.batched = true;
    options.policy = {PolicyKind::kExcess, 4, 0};
    options.max_queue = 16;
    Batcher batcher(executor, clock, options);
    test::Requests requests[] = {test::Requests(sinks[0].get()), test::Requests(sinks[1].get())};
    for (const auto& sink : sinks) sink->finished.clear();
    SubmitAll(batcher, requests);
    reached = Work(batcher, failing);
    ASSERT_EQ(Finished(), 8u) << failing;
    for (const auto& sink : sinks) {
      for (const Request* request : sink->finished) {
        if (request->status.ok()) {
          const auto first = static_cast<size_t>(request->first_row) * request->inputs[0].view.bytes;
          const auto* output = request->outputs->tensors[0].data + first;
          EXPECT_EQ(*reinterpret_cast<const float*>(output), 2 * test::ValuesOf<float>(request->inputs[0].view)[0]);
        } else if (request->status.code() != Code::kCancelled) {
          EXPECT_TRUE(request->status.code() == Code::kResourceExhausted ||
                      request->status.code() == Code::kDeadlineExceeded)
              << request->status.message();
        }
      }
    }
    const BatcherStats stats = batcher.Stats();
    EXPECT_EQ(stats.submitted, stats.completed + stats.failed + stats.cancelled + stats.expired);
    EXPECT_EQ(stats.running, 0u);
    // And again, with all the memory it wants.
    for (const auto& sink : sinks) sink->finished.clear();
    SubmitAll(batcher, requests);
    Work(batcher, -1);
    EXPECT_EQ(batcher.Stats().completed - stats.completed, 6u);
  }
  EXPECT_GT(failing, 10) << "the worker must have allocated something";
  EXPECT_LT(failing, 1000);
}

TEST_F(AllocationTest, AnExceptionOfTheExecutorFailsOnlyItsOwnRequest) {
  const std::map<float, void (*)()> throws = {
      {1, [] { throw std::length_error("a size"); }},
      {2, [] { throw std::runtime_error("/secret/path"); }},
      {3, [] { throw 3; }},
      {4, [] { throw std::bad_alloc(); }}};
  test::FunctionExecutor executor([&](std::span<const TensorView> inputs, test::OwnedOutputs& outputs) {
    for (const float value : test::ValuesOf<float>(inputs[0])) {
      if (const auto found = throws.find(value); found != throws.end()) found->second();
    }
    return test::Double(inputs, outputs);
  });
  BatcherOptions options;
  options.threads = false;
  options.pending.batched = true;
  options.policy = {PolicyKind::kBusy, 16, 0};
  Batcher batcher(executor, clock, options);
  test::Requests requests(sinks[0].get());
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(batcher.Submit(requests.Make(static_cast<float>(i))), Code::kOk);
  }
  batcher.Turn(0);
  ASSERT_EQ(sinks[0]->finished.size(), 16u);
  for (const Request* request : sinks[0]->finished) {
    const float value = test::ValuesOf<float>(request->inputs[0].view)[0];
    const Code expected = value == 4             ? Code::kResourceExhausted
                          : throws.contains(value) ? Code::kInternal
                                                   : Code::kOk;
    EXPECT_EQ(request->status.code(), expected) << value;
    EXPECT_EQ(request->status.message().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace
