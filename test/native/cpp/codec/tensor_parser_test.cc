#include "codec/tensor_parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "batching/half.h"
#include "support/codec.h"

namespace millrace {
namespace {

using test::Parse;
using test::Parsed;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr ElementType kFloats[] = {ElementType::kFloat16, ElementType::kBfloat16, ElementType::kFloat32,
                                   ElementType::kFloat64};

// The elements of a float tensor of any type.
std::vector<double> Floats(const Parsed& parsed, ElementType type) {
  std::vector<double> values;
  switch (type) {
    case ElementType::kFloat64:
      return parsed.As<double>();
    case ElementType::kFloat32:
      for (const float value : parsed.As<float>()) values.push_back(double{value});
      break;
    default:
      for (const uint16_t bits : parsed.As<uint16_t>()) {
        values.push_back(double{type == ElementType::kFloat16 ? HalfToFloat(bits) : BfloatToFloat(bits)});
      }
  }
  return values;
}

TEST(ParseTensor, ReadsIntegersExactlyAtTheEndsOfTheirRange) {
  EXPECT_EQ(Parse("[-9223372036854775808,9223372036854775807]", ElementType::kInt64).As<int64_t>(),
            (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  EXPECT_EQ(Parse("[0,18446744073709551615,9007199254740993]", ElementType::kUint64).As<uint64_t>(),
            (std::vector<uint64_t>{0, UINT64_MAX, 9007199254740993}));
  EXPECT_EQ(Parse("[-2147483648,2147483647]", ElementType::kInt32).As<int32_t>(),
            (std::vector<int32_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(Parse("[4294967295]", ElementType::kUint32).As<uint32_t>(), std::vector<uint32_t>{UINT32_MAX});
  EXPECT_EQ(Parse("[-32768,32767]", ElementType::kInt16).As<int16_t>(),
            (std::vector<int16_t>{INT16_MIN, INT16_MAX}));
  EXPECT_EQ(Parse("[65535]", ElementType::kUint16).As<uint16_t>(), std::vector<uint16_t>{UINT16_MAX});
  EXPECT_EQ(Parse("[-128,127]", ElementType::kInt8).As<int8_t>(), (std::vector<int8_t>{INT8_MIN, INT8_MAX}));
  EXPECT_EQ(Parse("[0,255]", ElementType::kUint8).As<uint8_t>(), (std::vector<uint8_t>{0, UINT8_MAX}));
}

TEST(ParseTensor, RefusesIntegersOutOfRangeWithTheirPosition) {
  const std::tuple<const char*, ElementType, const char*> cases[] = {
      {"[1,9223372036854775808]", ElementType::kInt64, "a number out of the range of int64 at byte 3"},
      {"[-9223372036854775809]", ElementType::kInt64, "a number out of the range of int64 at byte 1"},
      {"[18446744073709551616]", ElementType::kUint64, "a number out of the range of uint64 at byte 1"},
      {"[-1]", ElementType::kUint64, "a number out of the range of uint64 at byte 1"},
      {"[128]", ElementType::kInt8, "a number out of the range of int8 at byte 1"},
      {"[256]", ElementType::kUint8, "a number out of the range of uint8 at byte 1"},
      {"[1.0]", ElementType::kInt32, "expected an integer, not a fraction, at byte 1"},
      {"[1e3]", ElementType::kInt32, "expected an integer, not a fraction, at byte 1"},
      {"[true]", ElementType::kInt32, "expected an integer at byte 1"},
      {"[null]", ElementType::kInt32, "expected an integer at byte 1"},
      {R"(["1"])", ElementType::kInt64, "expected an integer at byte 1"},
  };
  for (const auto& [text, type, error] : cases) {
    for (const NonFinite non_finite : {NonFinite::kError, NonFinite::kNull, NonFinite::kLiteral}) {
      const Parsed parsed = Parse(text, type, non_finite);
      EXPECT_FALSE(parsed.ok) << text;
      EXPECT_EQ(parsed.error, error);
    }
  }
}

TEST(ParseTensor, RoundsFloatsOfEveryTypeToTheNearestValue) {
  for (const ElementType type : kFloats) {
    const Parsed parsed = Parse("[0, -0.0, 1, -1.5, 0.25, 1e2, 2E-1, 100.0e-2]", type);
    ASSERT_TRUE(parsed.ok) << parsed.error;
    const std::vector<double> values = Floats(parsed, type);
    ASSERT_EQ(values.size(), 8u);
    EXPECT_TRUE(std::signbit(values[1]));
    EXPECT_EQ(values[3], -1.5);
    EXPECT_EQ(values[5], 100);
    EXPECT_NEAR(values[6], 0.2, 0.001);
    EXPECT_EQ(values[7], 1);
  }
  EXPECT_EQ(Parse("[0.1]", ElementType::kFloat64).As<double>(), std::vector<double>{0.1});
  EXPECT_EQ(Parse("[0.1]", ElementType::kFloat32).As<float>(), std::vector<float>{0.1f});
  EXPECT_EQ(Parse("[0.1]", ElementType::kFloat16).As<uint16_t>(), std::vector<uint16_t>{0x2e66});
  EXPECT_EQ(Parse("[0.1]", ElementType::kBfloat16).As<uint16_t>(), std::vector<uint16_t>{0x3dcd});
}

TEST(ParseTensor, RefusesFloatsOutOfRangeInsteadOfInfinity) {
  const std::pair<ElementType, const char*> largest[] = {{ElementType::kFloat16, "65504"},
                                                         {ElementType::kBfloat16, "3.3895313892515355e38"},
                                                         {ElementType::kFloat32, "3.4028234663852886e38"},
                                                         {ElementType::kFloat64, "1.7976931348623157e308"}};
  const std::pair<ElementType, const char*> beyond[] = {{ElementType::kFloat16, "65520"},
                                                        {ElementType::kBfloat16, "3.4e38"},
                                                        {ElementType::kFloat32, "3.4028236e38"},
                                                        {ElementType::kFloat64, "1.8e308"}};
  for (const auto& [type, text] : largest) {
    for (const std::string sign : {"", "-"}) {
      const Parsed parsed = Parse("[" + sign + text + "]", type);
      ASSERT_TRUE(parsed.ok) << text << parsed.error;
      EXPECT_TRUE(std::isfinite(Floats(parsed, type)[0]));
    }
  }
  for (const auto& [type, text] : beyond) {
    for (const std::string sign : {"", "-"}) {
      for (const NonFinite non_finite : {NonFinite::kError, NonFinite::kNull, NonFinite::kLiteral}) {
        const Parsed parsed = Parse("[" + sign + text + "]", type, non_finite);
        EXPECT_FALSE(parsed.ok) << text;
        EXPECT_EQ(parsed.error, std::string("a number out of the range of ") + ElementName(type) + " at byte 1");
      }
    }
    EXPECT_FALSE(Parse("[1e999]", type).ok);
  }
}

TEST(ParseTensor, ReadsNonFiniteFloatsAsTheOptionSays) {
  const std::string literals = "[NaN, Infinity, -Infinity, Inf, -Inf]";
  for (const ElementType type : kFloats) {
    const Parsed parsed = Parse(literals, type, NonFinite::kLiteral);
    ASSERT_TRUE(parsed.ok) << parsed.error;
    const std::vector<double> values = Floats(parsed, type);
    EXPECT_TRUE(std::isnan(values[0]));
    EXPECT_EQ((std::vector<double>{values.begin() + 1, values.end()}),
              (std::vector<double>{kInfinity, -kInfinity, kInfinity, -kInfinity}));
    const Parsed null = Parse("[null,1]", type, NonFinite::kNull);
    ASSERT_TRUE(null.ok);
    EXPECT_TRUE(std::isnan(Floats(null, type)[0]));

    const Parsed any = Parse("[null,-Infinity]", type, NonFinite::kAny);
    ASSERT_TRUE(any.ok) << any.error;
    EXPECT_TRUE(std::isnan(Floats(any, type)[0]));
    EXPECT_EQ(Floats(any, type)[1], -kInfinity);

    EXPECT_EQ(Parse("[null]", type).error, "expected a number, not null, at byte 1");
    EXPECT_FALSE(Parse("[null]", type, NonFinite::kLiteral).ok);
    for (const NonFinite other : {NonFinite::kError, NonFinite::kNull}) {
      EXPECT_EQ(Parse("[1,NaN]", type, other).error,
                "a NaN or Infinity, which JSON has no number for, at byte 3");
      EXPECT_FALSE(Parse("[-Infinity]", type, other).ok);
    }
    for (const char* wrong : {"[-NaN]", "[+Infinity]", "[nan]", "[inf]", "[Infinite]", "[--Inf]", "[\"NaN\"]", "[true]"}) {
      EXPECT_FALSE(Parse(wrong, type, NonFinite::kLiteral).ok) << wrong;
    }
  }
  for (const ElementType type : {ElementType::kInt32, ElementType::kBool, ElementType::kString}) {
    EXPECT_FALSE(Parse("[null]", type, NonFinite::kAny).ok);
  }
}

TEST(ParseTensor, ReadsOnlyTrueAndFalseAsBools) {
  EXPECT_EQ(Parse("[true,false,true]", ElementType::kBool).As<uint8_t>(), (std::vector<uint8_t>{1, 0, 1}));
  for (const char* text : {"[1]", "[0]", "[null]", "[True]", "[tru]", R"(["true"])"}) {
    const Parsed parsed = Parse(text, ElementType::kBool);
    EXPECT_FALSE(parsed.ok) << text;
    EXPECT_EQ(parsed.error, "expected true or false at byte 1");
  }
  EXPECT_EQ(Parse("[truefalse]", ElementType::kBool).error, "expected ',' or ']' at byte 5");
}

TEST(ParseTensor, UnescapesStrings) {
  const Parsed parsed = Parse(R"(["a", "", "\u20ac\n", ["é"], "\ud83d\ude00"])", ElementType::kString);
  ASSERT_TRUE(parsed.ok) << parsed.error;
  EXPECT_EQ(parsed.strings, (std::vector<std::string>{"a", "", "€\n", "é", "😀"}));
  EXPECT_EQ(Parse("[1]", ElementType::kString).error, "expected a string at byte 1");
  EXPECT_FALSE(Parse("[\"\xff\"]", ElementType::kString).ok);
}

TEST(ParseTensor, ReadsTheElementsOfArraysThatAreNestedInAnyWay) {
  for (const char* text : {"[1,2,3]", "[[1,2],[3]]", "[[1],[2],[3]]", "[1,[2,3]]", "[[1,[2]],3]", "[[[],[1]],[],[2,3]]"}) {
    const Parsed parsed = Parse(text, ElementType::kInt32);
    EXPECT_TRUE(parsed.ok) << text << ": " << parsed.error;
    EXPECT_EQ(parsed.As<int32_t>(), (std::vector<int32_t>{1, 2, 3})) << text;
  }
  for (const char* text : {"[]", "[[],[]]", "[[[]]]"}) {
    const Parsed parsed = Parse(text, ElementType::kInt32);
    EXPECT_TRUE(parsed.ok) << text << ": " << parsed.error;
    EXPECT_TRUE(parsed.numbers.empty()) << text;
  }
}

// Long runs of floats are read by other code than the ends of arrays and unusual separators.
TEST(ParseTensor, ReadsFloatsWithAnySeparatorsAndNesting) {
  std::string text = "[";
  std::vector<float> expected;
  for (int i = 0; i < 1000; ++i) {
    constexpr const char* kTexts[] = {"0.5", "-1.25", "3", "1e-3", "0.1234567890123456", "[0.5]", "[2.5, 7]", "-0.0"};
    constexpr const char* kBetween[] = {",", ", ", ",\n\t ", " ,", "  ,  "};
    text.append(kTexts[i * 7 % 8]).append(kBetween[i * 3 % 5]);
    const auto values = std::to_array<std::vector<float>>(
        {{0.5f}, {-1.25f}, {3}, {1e-3f}, {0.12345679f}, {0.5f}, {2.5f, 7}, {-0.0f}})[static_cast<size_t>(i * 7 % 8)];
    expected.insert(expected.end(), values.begin(), values.end());
  }
  text += "1.5]";
  expected.push_back(1.5f);
  EXPECT_EQ(Parse(text, ElementType::kFloat32).As<float>(), expected);
}

TEST(ParseTensor, RefusesATrailingCommaAfterFloatsWithItsPosition) {
  std::string text = "[";
  for (int i = 0; i < 30; ++i) text += "0.5,";
  const size_t end = text.size();
  for (const char* behind : {"]", "", ",1]", "}"}) {
    const Parsed parsed = Parse(text + behind, ElementType::kFloat32);
    EXPECT_FALSE(parsed.ok);
    EXPECT_NE(parsed.error.find("at byte " + std::to_string(end)), std::string::npos) << parsed.error;
  }
}

TEST(ParseTensor, RefusesMoreThanAHundredLevelsOfNesting) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + "7" + std::string(depth, ']'); };
  const Parsed deep = Parse(nested(kMaxDepth), ElementType::kInt8);
  EXPECT_TRUE(deep.ok) << deep.error;
  for (const size_t depth : {kMaxDepth + 1, size_t{1'000'000}}) {
    EXPECT_EQ(Parse(nested(depth), ElementType::kInt8).error, "nesting of more than 100 levels at byte 100");
    EXPECT_FALSE(Parse(nested(depth), ElementType::kString).ok);
  }
}

TEST(ParseTensor, RefusesTextThatIsNotAnArray) {
  for (const char* text : {"", "1", "{}", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "[[1]", "[1]]x", "[1}", "[[1],", "[ "}) {
    const Parsed parsed = Parse(text, ElementType::kFloat32);
    if (std::string_view(text) == "[1]]x") {
      EXPECT_TRUE(parsed.ok);
      EXPECT_EQ(parsed.position, 3u) << "the cursor stands behind the array";
      continue;
    }
    EXPECT_FALSE(parsed.ok) << text;
    EXPECT_FALSE(parsed.error.empty());
  }
}

// A store with room for a fixed number of elements.
class Fixed final : public ElementStore {
 public:
  explicit Fixed(size_t bytes) : memory_(bytes) {
    at = memory_.data();
    limit = at + bytes;
  }
  bool Text(std::string_view) override { return false; }

 private:
  std::vector<std::byte> memory_;
};

TEST(ParseTensor, RefusesMoreElementsThanTheStoreHasRoomFor) {
  for (const auto& [text, ok] : {std::pair("[1,2]", true), std::pair("[1]", true), std::pair("[1,2,3]", false)}) {
    JsonCursor cursor(text);
    Fixed store(2 * sizeof(int32_t));
    EXPECT_EQ(ParseTensor(cursor, ElementType::kInt32, NonFinite::kError, store), ok) << text;
    EXPECT_EQ(cursor.error(), ok ? "" : "more elements than the shape holds at byte 5");
  }
  JsonCursor cursor(R"(["a"])");
  Fixed store(0);
  EXPECT_FALSE(ParseTensor(cursor, ElementType::kString, NonFinite::kError, store));
  EXPECT_EQ(cursor.error(), "more elements than the shape holds at byte 1");
}

TEST(ParseTensor, ReadsAHundredThousandElements) {
  std::string text = "[";
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + ",";
  text.back() = ']';
  const auto values = Parse(text, ElementType::kInt32).As<int32_t>();
  ASSERT_EQ(values.size(), 100'000u);
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(values[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace millrace
