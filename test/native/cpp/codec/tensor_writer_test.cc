#include "codec/tensor_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "batching/half.h"
#include "support/codec.h"

namespace millrace {
namespace {

using test::Parse;
using test::Parsed;
using test::ViewOf;

std::string Write(const TensorView& tensor, NonFinite non_finite = NonFinite::kError) {
  JsonBuffer out;
  const Status status = AppendTensor(tensor, non_finite, out);
  EXPECT_TRUE(status.ok()) << status.message();
  return std::string(out.view());
}

template <class T>
std::string Write(ElementType type, const std::vector<T>& values, NonFinite non_finite = NonFinite::kError) {
  return Write(ViewOf(type, values), non_finite);
}

std::string Quote(std::string_view text) {
  JsonBuffer out;
  AppendString(text, out);
  return std::string(out.view());
}

TEST(AppendTensor, WritesIntegersWithAllTheirDigits) {
  EXPECT_EQ(Write(ElementType::kInt64, std::vector<int64_t>{INT64_MIN, -1, 0, INT64_MAX}),
            "[-9223372036854775808,-1,0,9223372036854775807]");
  EXPECT_EQ(Write(ElementType::kUint64, std::vector<uint64_t>{0, UINT64_MAX}), "[0,18446744073709551615]");
  EXPECT_EQ(Write(ElementType::kInt32, std::vector<int32_t>{INT32_MIN, INT32_MAX}), "[-2147483648,2147483647]");
  EXPECT_EQ(Write(ElementType::kUint32, std::vector<uint32_t>{UINT32_MAX}), "[4294967295]");
  EXPECT_EQ(Write(ElementType::kInt16, std::vector<int16_t>{INT16_MIN}), "[-32768]");
  EXPECT_EQ(Write(ElementType::kUint16, std::vector<uint16_t>{UINT16_MAX}), "[65535]");
  EXPECT_EQ(Write(ElementType::kInt8, std::vector<int8_t>{-128, 127}), "[-128,127]");
  EXPECT_EQ(Write(ElementType::kUint8, std::vector<uint8_t>{0, 255}), "[0,255]");
}

TEST(AppendTensor, WritesBoolsAsTrueUnlessTheyAreZero) {
  EXPECT_EQ(Write(ElementType::kBool, std::vector<uint8_t>{0, 1, 2, 255}), "[false,true,true,true]");
}

TEST(AppendTensor, WritesFloatsWithTheFewestDigitsOfTheirType) {
  EXPECT_EQ(Write(ElementType::kFloat64, std::vector<double>{0.1, -0.0, 5e-324, 1e22}), "[0.1,-0,5e-324,1e+22]");
  EXPECT_EQ(Write(ElementType::kFloat32, std::vector<float>{0.1f, -0.0f, 16777216}), "[0.1,-0,16777216]");
  EXPECT_EQ(Write(ElementType::kFloat16, std::vector<uint16_t>{0x3c00, 0x2e66, 0x8000}), "[1,0.099975586,-0]");
  EXPECT_EQ(Write(ElementType::kBfloat16, std::vector<uint16_t>{0x3f80, 0x3dcd}), "[1,0.100097656]");
}

TEST(AppendTensor, WritesNonFiniteFloatsAsTheOptionSays) {
  constexpr float kEndless = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {1, std::nanf(""), kEndless, -kEndless};
  EXPECT_EQ(Write(ElementType::kFloat32, values, NonFinite::kNull), "[1,null,null,null]");
  EXPECT_EQ(Write(ElementType::kFloat32, values, NonFinite::kLiteral), "[1,NaN,Infinity,-Infinity]");
  EXPECT_EQ(Write(ElementType::kFloat16, std::vector<uint16_t>{0x7e00, 0x7c00, 0xfc00}, NonFinite::kLiteral),
            "[NaN,Infinity,-Infinity]");
  EXPECT_EQ(Write(ElementType::kFloat32, values, NonFinite::kString),
            R"([1,"NaN","Infinity","-Infinity"])");

  JsonBuffer out;
  out.Append("before");
  const Status status = AppendTensor(ViewOf(ElementType::kFloat32, values), NonFinite::kError, out);
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "A float32 tensor has NaN or Infinity in element 1, which JSON has no number for: ask for null or literal");
  EXPECT_EQ(out.view(), "before");
}

TEST(AppendTensor, WritesNoElementsAsAnEmptyArray) {
  EXPECT_EQ(Write(ElementType::kFloat32, std::vector<float>{}), "[]");
  EXPECT_EQ(Write(ViewOf(std::vector<std::string>{})), "[]");
}

TEST(AppendTensor, RefusesTheUndefinedType) {
  JsonBuffer out;
  EXPECT_EQ(AppendTensor({}, NonFinite::kError, out).code(), Code::kUnimplemented);
  EXPECT_EQ(out.size(), 0u);
}

TEST(AppendString, EscapesOnlyWhatJsonRequires) {
  EXPECT_EQ(Quote(""), R"("")");
  EXPECT_EQ(Quote("plain / é € 😀"), R"("plain / é € 😀")");
  EXPECT_EQ(Quote("\"\\\b\f\n\r\t"), R"("\"\\\b\f\n\r\t")");
  EXPECT_EQ(Quote(std::string("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
}

TEST(AppendString, BytesThatAreNotUtf8BecomeTheReplacementCharacter) {
  EXPECT_EQ(Quote("a\xff" "b"), "\"a\uFFFDb\"");
  EXPECT_EQ(Quote("\xe2\x82"), "\"\uFFFD\uFFFD\"");
  EXPECT_EQ(Quote("\xed\xa0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");
  EXPECT_EQ(Quote("\xc3\n"), "\"\uFFFD\\n\"");
}

template <class T>
void ExpectRoundTrip(ElementType type, const std::vector<T>& values, NonFinite non_finite = NonFinite::kError) {
  const Parsed parsed = Parse(Write(type, values, non_finite), type, non_finite);
  ASSERT_TRUE(parsed.ok) << ElementName(type) << ": " << parsed.error;
  const std::vector<T> back = parsed.As<T>();
  ASSERT_EQ(back.size(), values.size());
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * sizeof(T)), 0) << ElementName(type);
}

template <class Integer>
void ExpectIntegersBack(ElementType type) {
  std::mt19937_64 random(1);
  std::vector<Integer> values;
  for (int i = 0; i < 10'000; ++i) values.push_back(static_cast<Integer>(random() >> random() % 64));
  ExpectRoundTrip(type, values);
}

TEST(Codec, ReadsBackTheSameBitsThatItWrote) {
  ExpectIntegersBack<int8_t>(ElementType::kInt8);
  ExpectIntegersBack<int16_t>(ElementType::kInt16);
  ExpectIntegersBack<int32_t>(ElementType::kInt32);
  ExpectIntegersBack<int64_t>(ElementType::kInt64);
  ExpectIntegersBack<uint8_t>(ElementType::kUint8);
  ExpectIntegersBack<uint16_t>(ElementType::kUint16);
  ExpectIntegersBack<uint32_t>(ElementType::kUint32);
  ExpectIntegersBack<uint64_t>(ElementType::kUint64);

  std::mt19937_64 random(2);
  std::vector<double> doubles;
  std::vector<float> floats;
  for (int i = 0; i < 50'000; ++i) {
    const auto wide = std::bit_cast<double>(random());
    const auto narrow = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isnan(wide)) doubles.push_back(wide);
    if (!std::isnan(narrow)) floats.push_back(narrow);
  }
  ExpectRoundTrip(ElementType::kFloat64, doubles, NonFinite::kLiteral);
  ExpectRoundTrip(ElementType::kFloat32, floats, NonFinite::kLiteral);

  std::vector<uint16_t> halves;
  std::vector<uint16_t> bfloats;
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (!std::isnan(HalfToFloat(half))) halves.push_back(half);
    if (!std::isnan(BfloatToFloat(half))) bfloats.push_back(half);
  }
  ExpectRoundTrip(ElementType::kFloat16, halves, NonFinite::kLiteral);
  ExpectRoundTrip(ElementType::kBfloat16, bfloats, NonFinite::kLiteral);
}

TEST(Codec, ReadsBackTheSameStringsThatItWrote) {
  std::vector<std::string> strings = {"", "a", "\"\\/", std::string(1, '\0'), "é€😀", std::string(5000, 'x')};
  for (char c = 1; c < 0x7f; ++c) strings.emplace_back(3, c);
  const Parsed parsed = Parse(Write(ViewOf(strings)), ElementType::kString);
  ASSERT_TRUE(parsed.ok) << parsed.error;
  EXPECT_EQ(parsed.strings, strings);
}

TEST(JsonBuffer, GrowsAndKeepsMemoryUpToTheLimit) {
  JsonBuffer out;
  EXPECT_EQ(out.view(), "");
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    out.Append("word ");
    out.AppendInteger(i);
    expected += "word " + std::to_string(i);
  }
  EXPECT_EQ(out.view(), expected);
  out.Truncate(4);
  EXPECT_EQ(out.view(), "word");
  const size_t capacity = out.capacity();
  out.Clear(capacity);
  EXPECT_EQ(out.size(), 0u);
  EXPECT_EQ(out.capacity(), capacity);
  out.Clear(capacity - 1);
  EXPECT_EQ(out.capacity(), 0u);
  out.Append("again");
  EXPECT_EQ(out.view(), "again");
}

}  // namespace
}  // namespace millrace
