// One slot of a device without the session around it, which would not let two batches meet at will.
#include "ort/device_slot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "support/device_model.h"

namespace millrace {
namespace {

using test::FakeGpu;
using test::Inputs;
using test::MakeShape;
using test::TestLibrary;
using test::ValuesOf;
using Longs = std::vector<int64_t>;

class DeviceSlotTest : public testing::Test {
 protected:
  void SetUp() override {
    cuda.Reset();
    ASSERT_TRUE(OpenDevice(context, "Cpu", true).ok());
    SessionOptions options;
    options.path = test::ModelPath("slow-loop");
    ASSERT_TRUE(Session::Open(TestLibrary(), options, {}, session).ok());
    slot_session = {session->raw(), &session->signature(), true};
    DeviceShapePlan& plan = plans.emplace_back();
    plan.inputs = {MakeShape({1, 1})};
    plan.input_bytes = {sizeof(int64_t)};
    plan.outputs = {{ElementType::kInt64, MakeShape({1, 1}), sizeof(int64_t)}};
    plan.static_outputs = true;
    slot = std::make_unique<DeviceSlot>(context, slot_session, plans, 0);
    ASSERT_TRUE(slot->AllocateInputs().ok());
    ASSERT_TRUE(slot->AllocateOutputs().ok());
  }

  // Copies the inputs of a batch of so many turns.
  void Upload(int64_t turns, uint64_t batch) {
    Inputs inputs;
    inputs.Add(ElementType::kInt64, MakeShape({1, 1}), Longs{turns});
    const Part part = inputs.views();
    ASSERT_TRUE(slot->Upload({&part, 1}, 0, 1, batch).ok());
  }
  // Ends the run of `batch`, if the slot has it, as long as a run is in progress.
  Status RunWhileEnding(uint64_t batch, OutputRef& outputs) {
    std::atomic<bool> done{false};
    std::thread launch([&] {
      FakeGpu::UseStream(context.compute.get());
      slot->Launch();
      done = true;
    });
    while (!done.load()) slot->Terminate(batch);
    launch.join();
    return slot->Await(outputs);
  }

  // Expects the launch to fail, and its outputs' memory to be free for others.
  void ExpectNoCopyAfterFailure(Code code) {
    OutputRef outputs;
    EXPECT_EQ(slot->Await(outputs).code(), code);
    const std::shared_ptr<std::byte> memory = PinnedPool::Share(context.pinned, sizeof(int64_t));
    ASSERT_NE(memory, nullptr) << "it went back to the pool";
    const int64_t own = 42;
    std::memcpy(memory.get(), &own, sizeof own);
    ASSERT_EQ(context.cuda.StreamSynchronize(context.copy_out.get()), 0);
    EXPECT_EQ(std::memcmp(memory.get(), &own, sizeof own), 0);
  }

  test::FakeCuda& cuda = test::FakeCuda::Get();
  DeviceContext context{*TestLibrary().api, *TestLibrary().gate, test::FakeCuda::Table(), 0, {}, {}, {}, {}, {}};
  std::unique_ptr<Session> session;
  SlotSession slot_session;
  std::deque<DeviceShapePlan> plans;
  std::unique_ptr<DeviceSlot> slot;
};

TEST_F(DeviceSlotTest, TheRunOfItsBatchIsEnded) {
  Upload(1'000'000, 7);
  OutputRef outputs;
  EXPECT_EQ(RunWhileEnding(7, outputs).code(), Code::kDeadlineExceeded);
}

// A worker whose run is over has given its slot back, which may have another worker's batch by the time that the
// run is ended for having taken too long.
TEST_F(DeviceSlotTest, ALateEndOfARunHitsNoOtherBatch) {
  constexpr int64_t kTurns = 20'000;
  Upload(kTurns, 7);
  OutputRef outputs;
  const Status status = RunWhileEnding(6, outputs);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(ValuesOf<int64_t>(outputs->tensors[0]), Longs{kTurns});
}

TEST_F(DeviceSlotTest, NothingIsCopiedIntoMemoryOfABatchThatFailed) {
  FakeGpu::UseStream(context.compute.get());
  Upload(3, 1);
  slot->Launch();
  cuda.Fail("EventSynchronize", 1, 1);
  ExpectNoCopyAfterFailure(Code::kInternal);
}

TEST_F(DeviceSlotTest, NothingIsCopiedIntoMemoryOfABatchForWhichMemoryRanOut) {
  FakeGpu::UseStream(context.compute.get());
  Upload(3, 1);
  // After the event of the run, that of the copies.
  cuda.Fail("EventRecord", test::FakeCuda::kThrows, 1, 1);
  slot->Launch();
  ExpectNoCopyAfterFailure(Code::kResourceExhausted);
}

TEST_F(DeviceSlotTest, NothingIsCopiedFromInputsForWhichMemoryRanOut) {
  Inputs inputs;
  inputs.Add(ElementType::kInt64, MakeShape({1, 1}), Longs{1});
  const Part part = inputs.views();
  cuda.Fail("EventRecord", test::FakeCuda::kThrows, 1);
  const size_t before = cuda.calls("StreamSynchronize");
  EXPECT_EQ(slot->Upload({&part, 1}, 0, 1, 1).code(), Code::kResourceExhausted);
  EXPECT_EQ(cuda.calls("StreamSynchronize"), before + 1);
}

}  // namespace
}  // namespace millrace
