// How inputs get to a device, and the memory they come from.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>

#include "ort/copy_plan.h"
#include "ort/parts.h"
#include "ort/pinned_pool.h"
#include "support/fake_cuda.h"
#include "support/requests.h"

namespace millrace {
namespace {

using test::FakeCuda;
using test::MakeShape;
using Kind = CopyStep::Kind;

class PlanCopiesTest : public testing::Test {
 protected:
  // A part of `bytes`, in memory that the device can read or cannot.
  void Add(size_t bytes, bool pinned = false) {
    memory_.emplace_back(bytes + 1);
    views_.push_back({ElementType::kUint8, MakeShape({static_cast<int64_t>(bytes)}),
                      memory_.back().data(), bytes, nullptr});
    if (pinned) pinned_.push_back(views_.back().data);
  }
  std::vector<CopyStep> Plan(size_t capacity) {
    std::vector<Part> parts;
    for (const TensorView& view : views_) parts.emplace_back(&view, 1);
    return PlanCopies(parts, 0, capacity, [this](const TensorView& view) {
      return std::ranges::find(pinned_, view.data) != pinned_.end();
    });
  }
  const std::byte* At(size_t part) const { return views_[part].data; }

 private:
  std::deque<std::vector<std::byte>> memory_;
  std::vector<TensorView> views_;
  std::vector<const std::byte*> pinned_;
};

TEST_F(PlanCopiesTest, SmallPartsAreGatheredAndUploadedTogether) {
  Add(10);
  Add(20);
  EXPECT_EQ(Plan(30), (std::vector<CopyStep>{{Kind::kGather, 0, 10, At(0)},
                                             {Kind::kGather, 10, 20, At(1)},
                                             {Kind::kUpload, 0, 30}}));
}

TEST_F(PlanCopiesTest, LargePinnedPartsAreNotTouchedByTheCpu) {
  Add(10);
  Add(kDirectBytes, true);
  Add(20);
  EXPECT_EQ(Plan(kDirectBytes + 30),
            (std::vector<CopyStep>{{Kind::kGather, 0, 10, At(0)},
                                   {Kind::kUpload, 0, 10},
                                   {Kind::kUpload, 10, kDirectBytes, At(1)},
                                   {Kind::kGather, kDirectBytes + 10, 20, At(2)},
                                   {Kind::kUpload, kDirectBytes + 10, 20}}));
}

TEST_F(PlanCopiesTest, SmallPinnedAndLargeOtherPartsAreGathered) {
  Add(kDirectBytes - 1, true);
  Add(kDirectBytes);
  const std::vector<CopyStep> steps = Plan(2 * kDirectBytes - 1);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[2], (CopyStep{Kind::kUpload, 0, 2 * kDirectBytes - 1}));
}

TEST_F(PlanCopiesTest, RowsThatAreMissingAreCleared) {
  Add(0);
  Add(8);
  EXPECT_EQ(Plan(32).back(), (CopyStep{Kind::kClear, 8, 24}));
}

TEST_F(PlanCopiesTest, NoPartsClearEverything) {
  EXPECT_EQ(Plan(16), (std::vector<CopyStep>{{Kind::kClear, 0, 16}}));
  EXPECT_TRUE(Plan(0).empty());
}

TEST(ShapesOf, AddsTheRowsOfAllParts) {
  const std::vector<TensorView> a = {{ElementType::kInt8, MakeShape({2, 5}), nullptr, 10, nullptr}};
  const std::vector<TensorView> b = {{ElementType::kInt8, MakeShape({3, 5}), nullptr, 15, nullptr}};
  const std::vector<Part> parts = {a, b};
  EXPECT_EQ(ShapesOf(parts), std::vector<Shape>{MakeShape({5, 5})});
}

TEST(GatheredParts, JoinsNumbersAndStringsAndLeavesALonePartWhereItIs) {
  const std::string words[] = {"a", "b", "c"};
  std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}};
  const auto part = [&](size_t from, size_t count) {
    const Shape shape = MakeShape({static_cast<int64_t>(count)});
    return std::vector<TensorView>{{ElementType::kUint8, shape, bytes + from, count, nullptr},
                                   {ElementType::kString, shape, nullptr, 0, words + from}};
  };
  const std::vector<TensorView> one = part(0, 1);
  const std::vector<TensorView> two = part(1, 2);
  const std::vector<Part> both = {one, two};
  const GatheredParts joined(both);
  EXPECT_EQ(test::ValuesOf<uint8_t>(joined.views()[0]), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(joined.views()[1].shape, MakeShape({3}));
  EXPECT_EQ(joined.views()[1].strings[2], "c");
  const std::vector<Part> lone = {two};
  const GatheredParts own(lone);
  bytes[1] = std::byte{9};
  EXPECT_EQ(test::ValuesOf<uint8_t>(own.views()[0]), (std::vector<uint8_t>{2, 3})) << "a copy";
}

class PinnedPoolTest : public testing::Test {
 protected:
  PinnedPoolTest() { FakeCuda::Get().Reset(); }
  ExitGate gate;
  std::shared_ptr<PinnedPool> pool = std::make_shared<PinnedPool>(FakeCuda::Table(), 0, gate);
};

TEST_F(PinnedPoolTest, KeepsBlocksForTheNextOfTheirSize) {
  std::byte* const first = pool->Allocate(5000);
  pool->Free(first, 5000);
  EXPECT_EQ(pool->Allocate(8192), first);
  EXPECT_NE(pool->Allocate(8192), first);
  EXPECT_EQ(FakeCuda::Get().calls("HostAlloc"), 2u);
}

TEST_F(PinnedPoolTest, KnowsItsMemory) {
  std::byte* const block = pool->Allocate(4096);
  std::byte other[1];
  EXPECT_TRUE(pool->Contains(block, 4096));
  EXPECT_TRUE(pool->Contains(block + 100, 3996));
  EXPECT_FALSE(pool->Contains(block + 100, 4000)) << "across its end";
  EXPECT_FALSE(pool->Contains(block - 1, 1));
  EXPECT_FALSE(pool->Contains(other, 1));
}

TEST_F(PinnedPoolTest, SaysWhenThereIsNoMore) {
  FakeCuda::Get().LimitMemory(SIZE_MAX, 4096);
  EXPECT_NE(pool->Allocate(1), nullptr);
  EXPECT_EQ(pool->Allocate(1), nullptr);
  EXPECT_EQ(pool->Allocate(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(PinnedPool::Share(pool, 1), nullptr);
  FakeCuda::Get().Fail("SetDevice", 101);
}

TEST_F(PinnedPoolTest, SharesOnlyWhatItHasAndMakesTheRestLater) {
  EXPECT_EQ(PinnedPool::Share(pool, 5000), nullptr);
  EXPECT_EQ(FakeCuda::Get().calls("HostAlloc"), 0u) << "nobody who shares waits for CUDA";
  pool->Refill();
  EXPECT_NE(PinnedPool::Share(pool, 5000), nullptr);
  pool->Refill();
  EXPECT_EQ(FakeCuda::Get().calls("HostAlloc"), 1u);
}

TEST_F(PinnedPoolTest, TakesNoMoreThanItMay) {
  PinnedPool small(FakeCuda::Table(), 0, gate, 3 * 4096);
  std::byte* const first = small.Allocate(8192);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(small.Allocate(8192), nullptr);
  EXPECT_NE(small.Allocate(4096), nullptr);
  EXPECT_EQ(small.Allocate(1), nullptr);
  small.Free(first, 8192);
  EXPECT_EQ(small.Allocate(8192), first);
}

// CUDA takes its time; a block that comes back meanwhile does not wait for it.
TEST_F(PinnedPoolTest, NobodyWaitsForABlockThatIsBeingMade) {
  static PinnedPool* used = nullptr;
  static std::byte* free_block = nullptr;
  CudaRuntime slow = FakeCuda::Table();
  slow.HostAlloc = [](void** memory, size_t bytes, unsigned flags) {
    if (free_block != nullptr) {
      std::thread([] { used->Free(std::exchange(free_block, nullptr), 1); }).join();
    }
    return FakeCuda::Table().HostAlloc(memory, bytes, flags);
  };
  PinnedPool own(slow, 0, gate);
  used = &own;
  free_block = own.Allocate(1);
  EXPECT_NE(own.Allocate(1), nullptr);
}

TEST_F(PinnedPoolTest, AllocatesWhileAnotherThreadRecordsAGraph) {
  pool->Allocate(1);
  EXPECT_GE(FakeCuda::Get().calls("ThreadExchangeStreamCaptureMode"), 1u);
  FakeCuda::Get().Fail("ThreadExchangeStreamCaptureMode", 901);
  EXPECT_EQ(pool->Allocate(1 << 20), nullptr);
}

TEST_F(PinnedPoolTest, LivesAsLongAsItsBlocks) {
  const size_t before = FakeCuda::Get().live();
  EXPECT_EQ(PinnedPool::Share(pool, 100), nullptr);
  pool->Refill();
  std::shared_ptr<std::byte> shared = PinnedPool::Share(pool, 100);
  PinnedBlock block(pool, 100);
  PinnedBlock moved = std::move(block);
  EXPECT_EQ(block.data(), nullptr);
  pool.reset();
  EXPECT_EQ(FakeCuda::Get().live(), before + 2);
  shared.reset();
  moved = PinnedBlock();
  EXPECT_EQ(FakeCuda::Get().live(), before);
}

TEST_F(PinnedPoolTest, LeavesMemoryToTheSystemAtExit) {
  const size_t before = FakeCuda::Get().live();
  std::byte* const block = pool->Allocate(1);
  gate.CloseAndWait(0);
  pool.reset();
  EXPECT_EQ(FakeCuda::Get().live(), before + 1);
  FakeCuda::Table().FreeHost(block);
}

}  // namespace
}  // namespace millrace
