#include "batching/padding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "batching/half.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::MakeShape;

constexpr ElementType kNumbers[] = {
    ElementType::kFloat32, ElementType::kFloat64,  ElementType::kFloat16, ElementType::kBfloat16,
    ElementType::kInt8,    ElementType::kInt16,    ElementType::kInt32,   ElementType::kInt64,
    ElementType::kUint8,   ElementType::kUint16,   ElementType::kUint32,  ElementType::kUint64,
    ElementType::kBool,
};

size_t Count(const Shape& shape) { return static_cast<size_t>(shape.Elements().value()); }

// Index of an element within a tensor, or none if the position is outside it.
std::optional<size_t> IndexIn(const Shape& shape, size_t index, const Shape& outer) {
  size_t own = 0;
  size_t stride = 1;
  for (size_t axis = outer.rank; axis-- > 0;) {
    const auto at = static_cast<int64_t>(index) % outer.dims[axis];
    index /= static_cast<size_t>(outer.dims[axis]);
    if (at >= shape.dims[axis]) return std::nullopt;
    own += stride * static_cast<size_t>(at);
    stride *= static_cast<size_t>(shape.dims[axis]);
  }
  return own;
}

// Shapes that differ along the first, a middle, the last, several and all axes.
const std::pair<Shape, Shape> kShapes[] = {
    {MakeShape({2, 3}), MakeShape({2, 5})},
    {MakeShape({2, 3}), MakeShape({4, 3})},
    {MakeShape({3}), MakeShape({8})},
    {MakeShape({2, 3, 4}), MakeShape({2, 5, 4})},
    {MakeShape({2, 2, 3, 4}), MakeShape({2, 3, 3, 5})},
    {MakeShape({1, 2, 3}), MakeShape({4, 4, 4})},
    {MakeShape({2, 3, 1, 2}), MakeShape({2, 3, 1, 2})},
    {MakeShape({2, 0, 3}), MakeShape({2, 4, 3})},
    {MakeShape({0, 0}), MakeShape({1, 2})},
    {MakeShape({}), MakeShape({})},
};

TEST(Padding, RunsCoverTheInnerTensorInOrderAndOnce) {
  for (const auto& [inner, outer] : kShapes) {
    size_t expected = 0;
    size_t end = 0;
    ForEachRun(inner, outer, [&](size_t from, size_t to, size_t count) {
      EXPECT_EQ(from, expected);
      EXPECT_GE(to, end);
      for (size_t i = 0; i < count; ++i) EXPECT_EQ(IndexIn(inner, to + i, outer), from + i);
      expected += count;
      end = to + count;
    });
    EXPECT_EQ(expected, Count(inner));
  }
}

TEST(Padding, ContiguousElementsAreOneRun) {
  size_t runs = 0;
  const auto count = [&runs](size_t, size_t, size_t) { ++runs; };
  ForEachRun(MakeShape({4, 5, 6}), MakeShape({4, 5, 6}), count);
  EXPECT_EQ(runs, 1u);
  ForEachRun(MakeShape({4, 5, 6}), MakeShape({4, 9, 6}), count);
  EXPECT_EQ(runs, 5u);
}

class PaddingOf : public testing::TestWithParam<ElementType> {};

TEST_P(PaddingOf, WritesEveryElementInItsPlaceAndThePadValueElsewhere) {
  const ElementType type = GetParam();
  const size_t size = ElementSize(type);
  Element pad;
  ASSERT_TRUE(Encode(1.0, type, pad).ok());
  for (const auto& [own, padded] : kShapes) {
    std::vector<std::byte> values(Count(own) * size);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::byte>(2 + i % 250);
    std::vector<std::byte> target(Count(padded) * size, std::byte{0xee});
    PadInto({type, own, values.data(), values.size(), nullptr}, padded, pad, target.data());
    for (size_t i = 0; i < Count(padded); ++i) {
      const auto from = IndexIn(own, i, padded);
      const std::byte* const wanted = from ? values.data() + *from * size : pad.bytes.data();
      EXPECT_EQ(std::memcmp(target.data() + i * size, wanted, size), 0) << i;
    }
  }
}

TEST_P(PaddingOf, CutsBackToTheElementsBeforePadding) {
  const ElementType type = GetParam();
  const size_t size = ElementSize(type);
  for (const auto& [own, padded] : kShapes) {
    std::vector<std::byte> values(Count(own) * size);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::byte>(i % 251);
    std::vector<std::byte> whole(Count(padded) * size);
    PadInto({type, own, values.data(), values.size(), nullptr}, padded, {}, whole.data());
    std::vector<std::byte> cut(values.size());
    CopyOut({{type, own, whole.data(), cut.size(), nullptr}, &padded}, cut.data());
    EXPECT_EQ(cut, values);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PaddingOf, testing::ValuesIn(kNumbers),
                         [](const auto& type) { return ElementName(type.param); });

TEST(Padding, PadsAndCutsStrings) {
  const std::vector<std::string> values = {"a", std::string(100, 'b'), "", "d"};
  std::vector<std::string> target(6, "old");
  Element pad;
  pad.text = "pad";
  PadInto({ElementType::kString, MakeShape({2, 2}), nullptr, 0, values.data()}, MakeShape({2, 3}),
          pad, target.data());
  EXPECT_EQ(target, (std::vector<std::string>{"a", values[1], "pad", "", "d", "pad"}));
}

// Rows 1 and 2 of a block, cut from 4 to 2 along the middle axis.
TEST(Padding, ASliceStartsAtTheRequestsFirstRow) {
  auto block = std::make_shared<test::OwnedOutputs>();
  std::vector<float> numbers(3 * 4 * 2);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  block->Add(ElementType::kFloat32, MakeShape({3, 4, 2}), numbers);
  std::vector<std::string> texts(12);
  for (size_t i = 0; i < texts.size(); ++i) texts[i] = std::to_string(i);
  block->AddStrings(MakeShape({3, 4}), texts);
  Request request;
  request.outputs = block;
  request.shared = true;
  request.first_row = 1;
  request.rows = 2;
  request.own_shapes = {MakeShape({2, 2, 2}), MakeShape({2, 2})};

  const Slice slice = OwnSlice(request, 0);
  EXPECT_EQ(slice.view.bytes, 8 * sizeof(float));
  std::vector<float> own(8);
  CopyOut(slice, reinterpret_cast<std::byte*>(own.data()));
  EXPECT_EQ(own, (std::vector<float>{8, 9, 10, 11, 16, 17, 18, 19}));

  const Slice strings = OwnSlice(request, 1);
  std::string joined;
  ForEachRun(strings.view.shape, *strings.outer, [&](size_t, size_t from, size_t count) {
    for (size_t i = 0; i < count; ++i) joined += strings.view.strings[from + i] + ' ';
  });
  EXPECT_EQ(joined, "4 5 8 9 ");
}

TEST(Fill, WritesOnlyThePattern) {
  for (const size_t size : {1, 2, 4, 8}) {
    for (const size_t count : {0, 1, 2, 3, 7, 64, 100}) {
      Element element;
      for (size_t i = 0; i < size; ++i) element.bytes[i] = static_cast<std::byte>(i + 1);
      std::vector<std::byte> target(count * size + 8, std::byte{0xee});
      Fill(target.data(), count, element, size);
      for (size_t i = 0; i < count * size; ++i) {
        ASSERT_EQ(target[i], element.bytes[i % size]) << size << " x " << count;
      }
      for (size_t i = count * size; i < target.size(); ++i) ASSERT_EQ(target[i], std::byte{0xee});
    }
  }
}

template <class T>
T Stored(const Element& element) {
  T value;
  std::memcpy(&value, element.bytes.data(), sizeof value);
  return value;
}

TEST(Encode, StoresValuesThatTheTypeHolds) {
  Element element;
  EXPECT_TRUE(Encode(-std::numeric_limits<double>::infinity(), ElementType::kFloat32, element).ok());
  EXPECT_EQ(Stored<float>(element), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(Encode(std::nan(""), ElementType::kFloat64, element).ok());
  EXPECT_TRUE(std::isnan(Stored<double>(element)));
  EXPECT_TRUE(Encode(-1.5, ElementType::kFloat16, element).ok());
  EXPECT_EQ(HalfToFloat(Stored<uint16_t>(element)), -1.5f);
  EXPECT_TRUE(Encode(int64_t{3}, ElementType::kBfloat16, element).ok());
  EXPECT_EQ(BfloatToFloat(Stored<uint16_t>(element)), 3.0f);
  EXPECT_TRUE(Encode(INT64_MIN, ElementType::kInt64, element).ok());
  EXPECT_EQ(Stored<int64_t>(element), INT64_MIN);
  EXPECT_TRUE(Encode(UINT64_MAX, ElementType::kUint64, element).ok());
  EXPECT_EQ(Stored<uint64_t>(element), UINT64_MAX);
  EXPECT_TRUE(Encode(-128.0, ElementType::kInt8, element).ok());
  EXPECT_EQ(Stored<int8_t>(element), -128);
  EXPECT_TRUE(Encode(Scalar("pad"), ElementType::kString, element).ok());
  EXPECT_EQ(element.text, "pad");
}

TEST(Encode, RefusesOtherValues) {
  const std::pair<Scalar, ElementType> wrong[] = {
      {1.5, ElementType::kInt64},          {128.0, ElementType::kInt8},
      {-1.0, ElementType::kUint8},         {256.0, ElementType::kUint8},
      {2.0, ElementType::kBool},           {0x1p63, ElementType::kInt64},
      {0x1p64, ElementType::kUint64},      {std::nan(""), ElementType::kInt32},
      {int64_t{-1}, ElementType::kUint64}, {UINT64_MAX, ElementType::kInt64},
      {1.0, ElementType::kString},         {Scalar("1"), ElementType::kFloat32},
      {HUGE_VAL, ElementType::kUint32},    {int64_t{1} << 40, ElementType::kInt32},
  };
  for (const auto& [scalar, type] : wrong) {
    Element element;
    const Status status = Encode(scalar, type, element);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << ElementName(type);
    EXPECT_EQ(status.message(), std::string("does not fit the type ") + ElementName(type));
    EXPECT_EQ(element, Element{});
  }
}

}  // namespace
}  // namespace millrace
