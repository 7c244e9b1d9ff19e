#include "batching/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "batching/batch.h"
#include "batching/half.h"
#include "support/clock.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::MakeShape;
using test::OwnedOutputs;
using test::Requests;
using test::ValuesOf;

// Two rows of five tokens of two numbers, of which the second and its tokens 1 to 3 are pooled.
const std::vector<float> kTokens = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 1, -2, 3, 4, 2, 0, 7, 7};

template <class T>
OutputRef BlockOf(ElementType type, const Shape& shape, const std::vector<T>& values) {
  class Block final : public OutputBlock {
   public:
    std::vector<T> values;
  };
  auto block = std::make_shared<Block>();
  block->values = values;
  TensorView view{type, shape, reinterpret_cast<const std::byte*>(block->values.data()),
                  values.size() * sizeof(T), nullptr};
  block->tensors = {{}, view};
  return block;
}

class PoolingTest : public testing::Test {
 protected:
  // Pools the second row of a block of two.
  Status Pool(std::vector<PoolMode> modes, OutputRef outputs, Pooling::Tokens tokens = {1, 4}) {
    request = requests.Make(1);
    request->shared = true;
    request->first_row = 1;
    request->outputs = std::move(outputs);
    request->pooling = std::make_unique<Pooling>(Pooling{1, std::move(modes), {tokens}});
    return PoolOutputs(*request);
  }
  std::vector<float> Values() const { return ValuesOf<float>(request->outputs->tensors[1]); }

  Requests requests;
  Request* request = nullptr;
  OutputRef block = BlockOf(ElementType::kFloat32, MakeShape({2, 5, 2}), kTokens);
};

TEST_F(PoolingTest, EveryModeCountsTheTokensOfTheRow) {
  const float root = std::sqrt(3.0f);
  for (const auto& [mode, expected] : std::vector<std::pair<PoolMode, std::vector<float>>>{
           {PoolMode::kFirst, {1, -2}},
           {PoolMode::kLast, {2, 0}},
           {PoolMode::kMax, {3, 4}},
           {PoolMode::kMean, {2, 2.0f / 3}},
           {PoolMode::kMeanSqrtLength, {6 / root, 2 / root}},
           // The weights are the places in the whole row: 2, 3 and 4.
           {PoolMode::kWeightedMean, {19.0f / 9, 8.0f / 9}}}) {
    ASSERT_TRUE(Pool({mode}, block).ok());
    for (size_t i = 0; i < 2; ++i) EXPECT_FLOAT_EQ(Values()[i], expected[i]) << int(mode);
  }
}

TEST_F(PoolingTest, TheVectorsOfSeveralModesFollowOneAnother) {
  ASSERT_TRUE(Pool({PoolMode::kMax, PoolMode::kFirst}, block).ok());
  EXPECT_EQ(Values(), (std::vector<float>{3, 4, 1, -2}));
  const TensorView& pooled = request->outputs->tensors[1];
  EXPECT_EQ(pooled.shape, MakeShape({1, 4}));
  EXPECT_EQ(pooled.type, ElementType::kFloat32);
  EXPECT_EQ(request->outputs->tensors[0].bytes, 0u) << "an output that nobody wants";
  EXPECT_FALSE(request->shared);
  EXPECT_EQ(request->first_row, 0);
}

TEST_F(PoolingTest, SixteenBitFloatsArePooledAsFloats) {
  std::vector<uint16_t> halves;
  std::vector<uint16_t> bfloats;
  for (const float value : kTokens) {
    halves.push_back(DoubleToHalf(value));
    bfloats.push_back(DoubleToBfloat(value));
  }
  const Shape shape = MakeShape({2, 5, 2});
  for (const auto& [type, values] : {std::pair(ElementType::kFloat16, halves), {ElementType::kBfloat16, bfloats}}) {
    ASSERT_TRUE(Pool({PoolMode::kMean}, BlockOf(type, shape, values)).ok());
    EXPECT_FLOAT_EQ(Values()[0], 2);
    EXPECT_FLOAT_EQ(Values()[1], 2.0f / 3);
  }
}

TEST_F(PoolingTest, TheLargestOfNumbersWithNaNIsNaN) {
  for (const size_t token : {6, 7, 8}) {
    std::vector<float> values = kTokens;
    values[2 * token] = std::numeric_limits<float>::quiet_NaN();
    ASSERT_TRUE(Pool({PoolMode::kMax}, BlockOf(ElementType::kFloat32, MakeShape({2, 5, 2}), values)).ok());
    EXPECT_TRUE(std::isnan(Values()[0]));
    EXPECT_EQ(Values()[1], 4);
  }
}

TEST_F(PoolingTest, WhatDoesNotFitIsRefused) {
  const auto refused = [](const Status& status) { return status.code() == Code::kInvalidArgument; };
  for (const Pooling::Tokens tokens : {Pooling::Tokens{-1, 2}, {2, 2}, {3, 1}, {0, 6}}) {
    EXPECT_TRUE(refused(Pool({PoolMode::kMean}, block, tokens))) << tokens.from << ' ' << tokens.to;
  }
  const auto flat = BlockOf(ElementType::kFloat32, MakeShape({2, 10}), kTokens);
  EXPECT_TRUE(refused(Pool({PoolMode::kMean}, flat)));
  const auto whole = BlockOf(ElementType::kInt64, MakeShape({2, 5, 1}), std::vector<int64_t>(10));
  EXPECT_TRUE(refused(Pool({PoolMode::kMean}, whole)));
  request->pooling = std::make_unique<Pooling>(Pooling{1, {PoolMode::kMean}, {{0, 1}, {0, 1}}});
  request->outputs = block;
  EXPECT_TRUE(refused(PoolOutputs(*request))) << "the pairs of two rows for one";
}

TEST_F(PoolingTest, PaddingIsNeitherATokenNorANumberOfAVector) {
  request = requests.Make(1);
  request->shared = true;
  request->first_row = 1;
  request->outputs = block;
  request->own_shapes = {{}, MakeShape({1, 4, 1})};
  request->pooling = std::make_unique<Pooling>(Pooling{1, {PoolMode::kMean}, {{1, 5}}});
  EXPECT_EQ(PoolOutputs(*request).message(),
            "An output of float32 [1,4,1] cannot be pooled: tokens 1 to before 5 are not among its tokens, or none of "
            "them counts");
  request->pooling = std::make_unique<Pooling>(Pooling{1, {PoolMode::kMean}, {{1, 4}}});
  ASSERT_TRUE(PoolOutputs(*request).ok());
  EXPECT_EQ(Values(), std::vector<float>{2});
}

TEST_F(PoolingTest, WithoutRowsNoMemoryIsTakenForTheirSize) {
  request = requests.Make(1, 0);
  request->outputs = BlockOf(ElementType::kFloat32, MakeShape({0, 5, int64_t{1} << 60}), std::vector<float>());
  request->pooling = std::make_unique<Pooling>(Pooling{1, {PoolMode::kMean}, {}});
  ASSERT_TRUE(PoolOutputs(*request).ok());
  EXPECT_EQ(request->outputs->tensors[1].shape, MakeShape({0, 0}));
}

TEST_F(PoolingTest, EachRequestOfABatchIsPooledAsItAsks) {
  FunctionExecutor executor([](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    return test::Double(inputs, outputs);
  });
  // The executor's output has the shape of its input: rows of two tokens of two numbers.
  std::vector<Request*> batch;
  for (const float value : {1.0f, 2.0f, 3.0f, 4.0f}) {
    Request* const each = batch.emplace_back(requests.Make(value));
    test::SetInput(*each, 0, ElementType::kFloat32, MakeShape({1, 2, 2}),
                   std::vector<float>{value, 0, 3 * value, 0});
  }
  batch[1]->pooling = std::make_unique<Pooling>(Pooling{0, {PoolMode::kMean}, {{0, 2}}});
  batch[2]->pooling = std::make_unique<Pooling>(Pooling{0, {PoolMode::kMean}, {{0, 3}}});
  batch[3]->pooling = std::make_unique<Pooling>(Pooling{0, {PoolMode::kLast}, {{0, 2}}});
  test::FakeHandle handle;
  Staging staging;
  test::FakeClock clock;
  RunBatch(batch, {executor, handle, staging, clock, true});
  EXPECT_EQ(executor.runs, 1u) << "a pooling that is refused repeats no run";
  EXPECT_EQ(test::OutputOf(*batch[0], 0, 4), (std::vector<float>{2, 0, 6, 0}));
  EXPECT_EQ(ValuesOf<float>(batch[1]->outputs->tensors[0]), (std::vector<float>{8, 0}));
  EXPECT_EQ(batch[2]->status.code(), Code::kInvalidArgument);
  EXPECT_EQ(batch[2]->outputs, nullptr);
  EXPECT_EQ(ValuesOf<float>(batch[3]->outputs->tensors[0]), (std::vector<float>{24, 0}));
}

}  // namespace
}  // namespace millrace
