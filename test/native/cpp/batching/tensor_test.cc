#include "batching/tensor.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/requests.h"

namespace millrace {
namespace {

using test::MakeShape;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(Shape, ElementsIsTheProductOfTheDimensions) {
  EXPECT_EQ(MakeShape({2, 3, 4}).Elements(), 24);
  EXPECT_EQ(MakeShape({2, 3, 4}).Elements(1), 12);
  EXPECT_EQ(MakeShape({2, 3, 4}).Elements(3), 1);
}

TEST(Shape, AScalarHasOneElement) { EXPECT_EQ(Shape{}.Elements(), 1); }

TEST(Shape, ADimensionOfZeroLeavesNoElement) {
  EXPECT_EQ(MakeShape({0}).Elements(), 0);
  EXPECT_EQ(MakeShape({5, 0, 7}).Elements(), 0);
}

TEST(Shape, ANegativeDimensionHasNoElementCount) {
  EXPECT_EQ(MakeShape({-1}).Elements(), std::nullopt);
  EXPECT_EQ(MakeShape({0, -1}).Elements(), std::nullopt);
  EXPECT_EQ(MakeShape({std::numeric_limits<int64_t>::min()}).Elements(), std::nullopt);
}

TEST(Shape, AProductThatOverflowsHasNoElementCount) {
  EXPECT_EQ(MakeShape({kMax}).Elements(), kMax);
  EXPECT_EQ(MakeShape({kMax, 1, 1}).Elements(), kMax);
  EXPECT_EQ(MakeShape({kMax, 2}).Elements(), std::nullopt);
  EXPECT_EQ(MakeShape({1ll << 32, 1ll << 31}).Elements(), std::nullopt);
  EXPECT_EQ(MakeShape({1ll << 31, 1ll << 31}).Elements(), 1ll << 62);
}

TEST(Shape, EqualityComparesOnlyUsedDimensions) {
  Shape a = MakeShape({2, 3});
  Shape b = a;
  b.dims[5] = 9;
  EXPECT_EQ(a, b);
  b.dims[1] = 4;
  EXPECT_NE(a, b);
  EXPECT_NE(MakeShape({2}), MakeShape({2, 1}));
}

TEST(ElementType, EveryTypeHasANameAndAllButStringsASize) {
  const struct {
    ElementType type;
    const char* name;
    size_t size;
  } rows[] = {
      {ElementType::kFloat32, "float32", 4},   {ElementType::kUint8, "uint8", 1},
      {ElementType::kInt8, "int8", 1},         {ElementType::kUint16, "uint16", 2},
      {ElementType::kInt16, "int16", 2},       {ElementType::kInt32, "int32", 4},
      {ElementType::kInt64, "int64", 8},       {ElementType::kString, "string", 0},
      {ElementType::kBool, "bool", 1},         {ElementType::kFloat16, "float16", 2},
      {ElementType::kFloat64, "float64", 8},   {ElementType::kUint32, "uint32", 4},
      {ElementType::kUint64, "uint64", 8},     {ElementType::kBfloat16, "bfloat16", 2},
      {ElementType::kUndefined, "", 0},        {static_cast<ElementType>(14), "", 0},
  };
  for (const auto& row : rows) {
    EXPECT_STREQ(ElementName(row.type), row.name);
    EXPECT_EQ(ElementSize(row.type), row.size) << row.name;
  }
}

}  // namespace
}  // namespace millrace
