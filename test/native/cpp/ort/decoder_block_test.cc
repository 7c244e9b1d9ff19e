// Tensors of all layers in one piece of memory, the copies of their rows, and the pool that the memory is from.
#include "ort/decoder_block.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "support/fake_provider.h"

namespace millrace {
namespace {

using test::FakeCuda;

enum class Where { kCpu, kGpu };

class DecoderBlockTest : public testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    cuda.Reset();
    std::unique_ptr<DecoderMemory> memory;
    if (GetParam() == Where::kCpu) {
      ASSERT_TRUE(MakeCpuMemory(api, memory).ok());
    } else {
      std::unique_ptr<DeviceContext> context(
          new DeviceContext{api, *library.gate, FakeCuda::Table(), 0, {}, {}, {}, {}, {}});
      ASSERT_TRUE(OpenDevice(*context, "Cpu", true).ok());
      ASSERT_TRUE(MakeCudaMemory(std::move(context), memory).ok());
    }
    pool = std::make_shared<DecoderPool>(std::move(memory), *library.gate);
  }

  // Two layers with three heads of two numbers.
  static constexpr CacheFormat kFormat{ElementType::kFloat32, 4, 3, 2};

  TensorBlock Make(int64_t rows, int64_t tokens) {
    TensorBlock block;
    EXPECT_TRUE(TensorBlock::Make(api, pool, kFormat, rows, tokens, block).ok());
    return block;
  }
  // The memory of a block, as the CPU sees it.
  float* Data(const TensorBlock& block) {
    EXPECT_TRUE(pool->memory().Finish().ok());
    std::byte* const data = block.At(0, 0).data;
    std::byte* const host = cuda.HostOf(data);
    return reinterpret_cast<float*>(host != nullptr ? host : data);
  }
  static size_t Element(const TensorBlock& block, int64_t tensor, int64_t row, int64_t head, int64_t token, int64_t i) {
    return static_cast<size_t>(
        (((tensor * block.rows() + row) * kFormat.heads + head) * block.tokens() + token) * kFormat.size + i);
  }
  // Gives each element a number of its own.
  void Fill(const TensorBlock& block, float first) {
    float* const data = Data(block);
    const auto count = static_cast<size_t>(block.bytes()) / sizeof(float);
    for (size_t i = 0; i < count; ++i) data[i] = first + static_cast<float>(i);
  }

  // What GatherRows has to leave, element by element.
  void ExpectGathered(const std::vector<BlockRow>& sources, Padding padding, const TensorBlock& target) {
    const float* const data = Data(target);
    for (int64_t tensor = 0; tensor < 4; ++tensor) {
      for (int64_t row = 0; row < target.rows(); ++row) {
        const BlockRow& source = sources[static_cast<size_t>(row)];
        const int64_t held = source.block == nullptr ? 0 : source.block->tokens();
        const int64_t shift = padding == Padding::kBefore ? held - target.tokens() : 0;
        for (int64_t head = 0; head < 3; ++head) {
          for (int64_t token = 0; token < target.tokens(); ++token) {
            for (int64_t i = 0; i < 2; ++i) {
              const int64_t from = token + shift;
              const bool there = from >= 0 && from < held;
              const float expected =
                  there ? Data(*source.block)[Element(*source.block, tensor, source.row, head, from, i)] : 0;
              ASSERT_EQ(data[Element(target, tensor, row, head, token, i)], expected)
                  << "tensor " << tensor << ", row " << row << ", head " << head << ", token " << token;
            }
          }
        }
      }
    }
  }

  const OrtLibrary& library = test::TestLibrary();
  const OrtApi& api = *library.api;
  FakeCuda& cuda = FakeCuda::Get();
  std::shared_ptr<DecoderPool> pool;
};

TEST_P(DecoderBlockTest, RowsOfAnyBlocksAreGathered) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    std::vector<TensorBlock> blocks;
    for (int i = 0; i < 3; ++i) {
      blocks.push_back(Make(1 + random() % 4, 1 + random() % 5));
      Fill(blocks.back(), 1000.0F * static_cast<float>(i + 1));
    }
    std::vector<BlockRow> sources;
    for (size_t row = 0; row < 1 + seed % 6; ++row) {
      const TensorBlock& block = blocks[random() % blocks.size()];
      const auto from = static_cast<int64_t>(random() % static_cast<uint32_t>(block.rows()));
      sources.push_back({random() % 5 == 0 ? nullptr : &block, from});
    }
    TensorBlock target = Make(static_cast<int64_t>(sources.size()), 1 + random() % 6);
    Fill(target, -1e6F);
    const Padding padding = seed % 2 == 0 ? Padding::kBefore : Padding::kAfter;
    uint64_t copied = 0;
    ASSERT_TRUE(GatherRows(pool->memory(), sources, padding, target, copied).ok());
    ExpectGathered(sources, padding, target);
    uint64_t expected = 0;
    for (const BlockRow& source : sources) {
      if (source.block == nullptr) continue;
      expected += static_cast<uint64_t>(std::min(source.block->tokens(), target.tokens()) * kFormat.BytesPerToken());
    }
    EXPECT_EQ(copied, expected);
  }
}

TEST_P(DecoderBlockTest, NeighboursAreOneCopy) {
  const TensorBlock a = Make(4, 5);
  const TensorBlock b = Make(2, 3);
  TensorBlock target = Make(6, 5);
  Fill(a, 1);
  Fill(b, 1000);
  uint64_t copied = 0;
  // Rows 1 to 3 of one block, twice the same row of the other, and a row without a block.
  const std::vector<BlockRow> sources{{&a, 1}, {&a, 2}, {&a, 3}, {&b, 1}, {&b, 1}, {}};
  ASSERT_TRUE(GatherRows(pool->memory(), sources, Padding::kBefore, target, copied).ok());
  const bool on_gpu = GetParam() == Where::kGpu;
  EXPECT_EQ(cuda.calls("Memcpy3DAsync"), on_gpu ? 3u : 0u);
  EXPECT_EQ(cuda.calls("Memset3DAsync"), on_gpu ? 3u : 0u);
  ExpectGathered(sources, Padding::kBefore, target);
}

TEST_P(DecoderBlockTest, TensorsReferToTheMemory) {
  const TensorBlock block = Make(3, 2);
  Fill(block, 5);
  std::vector<OrtValuePtr> prefix;
  ASSERT_TRUE(block.MakePrefix(2, prefix).ok());
  for (size_t tensor = 0; tensor < 4; ++tensor) {
    for (OrtValue* value : {block.values()[tensor].get(), prefix[tensor].get()}) {
      void* data = nullptr;
      ASSERT_EQ(api.GetTensorMutableData(value, &data), nullptr);
      EXPECT_EQ(*static_cast<float*>(data), Data(block)[tensor * 3 * 3 * 2 * 2]);
    }
  }
}

TEST_P(DecoderBlockTest, RowsOfABoxAreReadOneAfterAnother) {
  const TensorBlock block = Make(2, 3);
  Fill(block, 1);
  // The last token of each head.
  const BoxSize size{2 * sizeof(float), 6, 1};
  const std::byte* data = nullptr;
  ASSERT_TRUE(pool->memory().Read(block.At(0, 2), size, data).ok());
  for (size_t i = 0; i < 6; ++i) {
    float values[2];
    std::memcpy(values, data + i * sizeof values, sizeof values);
    EXPECT_EQ(values[0], Data(block)[i * 6 + 4]);
    EXPECT_EQ(values[1], Data(block)[i * 6 + 5]);
  }
}

INSTANTIATE_TEST_SUITE_P(Memory, DecoderBlockTest, testing::Values(Where::kCpu, Where::kGpu), [](const auto& test) {
  return test.param == Where::kCpu ? "Cpu" : "Gpu";
});

// -------------------------------------------------------------------------------------------

// Counts what is allocated.
class CountedMemory final : public DecoderMemory {
 public:
  explicit CountedMemory(size_t& live) : live_(live) {}
  const OrtMemoryInfo* info() const noexcept override { return nullptr; }
  bool on_cpu() const noexcept override { return true; }
  Status Allocate(size_t bytes, std::byte*& memory) override {
    if (fails || bytes_ + bytes > limit) return {Code::kResourceExhausted, "none left"};
    memory = new std::byte[bytes];
    sizes_[memory] = bytes;
    bytes_ += bytes;
    most = std::max(most, bytes_);
    ++live_;
    ++allocations;
    return {};
  }
  void Free(std::byte* memory) noexcept override {
    bytes_ -= sizes_.extract(memory).mapped();
    delete[] memory;
    --live_;
  }
  Status Copy(const Box&, const Box&, const BoxSize&) override { return {}; }
  Status Clear(const Box&, const BoxSize&) override { return {}; }
  Status Read(const Box&, const BoxSize&, const std::byte*&) override { return {}; }

  size_t allocations = 0;
  bool fails = false;
  size_t limit = SIZE_MAX;
  // The most bytes that were allocated at a time.
  size_t most = 0;

 private:
  size_t& live_;
  std::map<std::byte*, size_t> sizes_;
  size_t bytes_ = 0;
};

class DecoderPoolTest : public testing::Test {
 protected:
  DecoderPoolTest() {
    auto own = std::make_unique<CountedMemory>(live);
    memory = own.get();
    pool = std::make_shared<DecoderPool>(std::move(own), *test::TestLibrary().gate);
  }
  DecoderPiece Take(size_t bytes) {
    DecoderPiece piece;
    EXPECT_TRUE(DecoderPiece::Take(pool, bytes, piece).ok());
    return piece;
  }

  static constexpr size_t kMiB = size_t{1} << 20;
  size_t live = 0;
  CountedMemory* memory = nullptr;
  std::shared_ptr<DecoderPool> pool;
};

TEST_F(DecoderPoolTest, ACacheThatGrowsByATokenRarelyNeedsNewMemory) {
  DecoderPiece past = Take(100'000);
  for (size_t token = 1; token <= 1000; ++token) {
    DecoderPiece present = Take(100'000 + token * 10'000);
    past = std::move(present);
  }
  // From 0.1 MB to 10 MB there are 27 sizes, and two pieces of each are in turn the past and the present.
  EXPECT_LE(memory->allocations, 56u);
  EXPECT_LE(memory->most, 10'100'000u * 2 * 5 / 4 + DecoderPool::kKept / 4);
  past = {};
  EXPECT_EQ(pool->used(), 0u);
}

TEST_F(DecoderPoolTest, PiecesAreAtMostAQuarterLarger) {
  for (size_t bytes = 1; bytes < 50 * kMiB; bytes = bytes * 9 / 8 + 1) {
    const DecoderPiece piece = Take(bytes);
    EXPECT_GE(pool->used(), bytes);
    EXPECT_LE(pool->used(), std::max<size_t>(4096, bytes * 5 / 4 + 1)) << bytes;
    memset(piece.data(), 1, bytes);
  }
}

TEST_F(DecoderPoolTest, KeepsAsMuchAsIsInUseOrALittle) {
  std::vector<DecoderPiece> pieces;
  for (int i = 0; i < 8; ++i) pieces.push_back(Take(32 * kMiB));
  pieces.resize(4);
  EXPECT_EQ(pool->kept(), 128 * kMiB);
  pieces.clear();
  EXPECT_EQ(pool->kept(), DecoderPool::kKept);
  EXPECT_EQ(live, DecoderPool::kKept / (32 * kMiB));
}

TEST_F(DecoderPoolTest, FreesFirstWhatHasBeenFreeForLongest) {
  { const DecoderPiece old = Take(40 * kMiB); }
  EXPECT_EQ(live, 1u);
  { const DecoderPiece recent = Take(60 * kMiB); }
  EXPECT_EQ(live, 1u);
  const size_t before = memory->allocations;
  const DecoderPiece again = Take(60 * kMiB);
  EXPECT_EQ(memory->allocations, before);
}

TEST_F(DecoderPoolTest, WhatIsKeptIsFreedBeforeMemoryRunsOut) {
  const DecoderPiece used = Take(40 * kMiB);
  { const DecoderPiece old = Take(8 * kMiB); }
  EXPECT_EQ(pool->kept(), 8 * kMiB);
  memory->limit = 52 * kMiB;
  const DecoderPiece piece = Take(12 * kMiB);
  EXPECT_EQ(pool->kept(), 0u);
}

TEST_F(DecoderPoolTest, NoMemoryIsAnErrorAndNoLeak) {
  memory->fails = true;
  DecoderPiece piece;
  EXPECT_EQ(DecoderPiece::Take(pool, 100, piece).code(), Code::kResourceExhausted);
  EXPECT_EQ(pool->used(), 0u);
  EXPECT_EQ(piece.data(), nullptr);
}

TEST_F(DecoderPoolTest, PiecesMayOutliveThePoolsOwner) {
  DecoderPiece piece = Take(100);
  { const DecoderPiece kept = Take(9000); }
  pool.reset();
  EXPECT_EQ(live, 2u);
  piece = {};
  EXPECT_EQ(live, 0u);
}

}  // namespace
}  // namespace millrace
