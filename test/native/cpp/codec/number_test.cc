#include "codec/number.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "support/codec.h"

namespace millrace {
namespace {

using test::ExactText;

constexpr int kMany = 100'000 / test::kSlowness;

// The number at the front of `text`, or nothing.
struct Scanned {
  explicit Scanned(std::string_view text) : exact(text) {
    const std::string_view view = exact.view();
    valid = ScanNumber(view.data(), view.data() + view.size(), number);
    length = static_cast<size_t>(number.end - view.data());
  }
  ExactText exact;
  Number number;
  bool valid = false;
  size_t length = 0;
};

template <class Integer>
std::optional<Integer> IntegerOf(std::string_view text) {
  const Scanned scanned(text);
  Integer value = 0;
  if (!scanned.valid || !ToInteger(scanned.number, value)) return std::nullopt;
  return value;
}

std::optional<double> DoubleOf(std::string_view text) {
  const Scanned scanned(text);
  double value = 0;
  if (!scanned.valid || !ToDouble(scanned.number, value)) return std::nullopt;
  return value;
}

std::optional<float> FloatOf(std::string_view text) {
  const Scanned scanned(text);
  float value = 0;
  if (!scanned.valid || !ToFloat(scanned.number, value)) return std::nullopt;
  return value;
}

TEST(ScanNumber, ReadsNumbersOfTheGrammarAndStopsAfterThem) {
  for (const char* text : {"0", "-0", "7", "10", "-123", "0.5", "1.0", "-0.001", "1e5", "1E+5", "1e-05",
                           "12345678", "123456789.123456789", "0e0", "1.5e300"}) {
    for (const std::string behind : {"", ",", "]", " ", "x", "-", "+"}) {
      const Scanned scanned(text + behind);
      EXPECT_TRUE(scanned.valid) << text << behind;
      EXPECT_EQ(scanned.length, std::string_view(text).size()) << text << behind;
    }
  }
}

TEST(ScanNumber, RefusesOtherTextWithItsPosition) {
  const std::pair<const char*, size_t> cases[] = {
      {"", 0},    {"-", 1},    {"+1", 0},  {".5", 0},  {"-.5", 1},   {"01", 1},   {"-01", 2},  {"00", 1},
      {"1.", 2},  {"1.e5", 2}, {"1e", 2},  {"1e+", 3}, {"1.5e-", 5}, {"NaN", 0},  {"abc", 0},  {"0123", 1},
      {"--1", 1}, {"1.x", 2},  {"0.", 2},  {"1ex", 2}, {"-x", 1},
  };
  for (const auto& [text, where] : cases) {
    const Scanned scanned(text);
    EXPECT_FALSE(scanned.valid) << text;
    EXPECT_EQ(scanned.length, where) << text;
  }
}

TEST(ScanNumber, ReadsAnyNumberOfDigits) {
  std::string digits;
  for (uint64_t length = 1, value = 0; length <= 19; ++length) {
    value = value * 10 + length % 10;
    digits += static_cast<char>('0' + length % 10);
    EXPECT_EQ(IntegerOf<uint64_t>(digits), value);
    EXPECT_EQ(IntegerOf<uint64_t>(digits + ":"), value);
    EXPECT_EQ(IntegerOf<uint64_t>(digits + "/"), value);
    EXPECT_EQ(IntegerOf<uint64_t>(digits + ",12345678"), value);
    EXPECT_EQ(IntegerOf<uint64_t>(digits + "\xff\xff\xff\xff\xff\xff\xff\xff"), value);
  }
}

template <class Integer>
class ToIntegers : public testing::Test {};
using Integers = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
TYPED_TEST_SUITE(ToIntegers, Integers);

// `text` plus one, as text.
std::string Next(std::string text) {
  for (size_t i = text.size(); i-- > 0;) {
    if (text[i] != '9') {
      ++text[i];
      return text;
    }
    text[i] = '0';
  }
  return "1" + text;
}

TYPED_TEST(ToIntegers, AreExactUpToTheEndsOfTheirRange) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::string most = std::to_string(Limits::max());
  EXPECT_EQ(IntegerOf<TypeParam>(most), Limits::max());
  EXPECT_EQ(IntegerOf<TypeParam>(std::to_string(Limits::max() - 1)), static_cast<TypeParam>(Limits::max() - 1));
  EXPECT_EQ(IntegerOf<TypeParam>(Next(most)), std::nullopt);
  EXPECT_EQ(IntegerOf<TypeParam>(most + "0"), std::nullopt);
  EXPECT_EQ(IntegerOf<TypeParam>("-0"), TypeParam{0});
  if constexpr (std::is_signed_v<TypeParam>) {
    const std::string least = std::to_string(Limits::min());
    EXPECT_EQ(IntegerOf<TypeParam>(least), Limits::min());
    EXPECT_EQ(IntegerOf<TypeParam>('-' + Next(least.substr(1))), std::nullopt);
  } else {
    EXPECT_EQ(IntegerOf<TypeParam>("-1"), std::nullopt);
  }
}

TYPED_TEST(ToIntegers, RefuseFractionsExponentsAndTooManyDigits) {
  for (const char* text : {"1.0", "1e0", "1E2", "0.0", "18446744073709551616", "99999999999999999999",
                           "-18446744073709551617", "123456789012345678901234567890"}) {
    EXPECT_EQ(IntegerOf<TypeParam>(text), std::nullopt) << text;
  }
}

// What from_chars, which is exact, makes of a text.
std::optional<double> Reference(const std::string& text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc()) return value;
  return std::nullopt;
}

std::string Shortest(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// Of a text that is an element of an array; nothing if that takes another way.
std::optional<float> PlainFloatOf(const std::string& text) {
  // As long as it has to be, with digits behind that are another number's.
  const ExactText exact((text + ",").append(64, '7'));
  const std::string_view view = exact.view();
  const char* at = view.data();
  float value = 0;
  const bool plain = ReadPlainFloat(at, view.data() + view.size(), value);
  EXPECT_EQ(at, view.data() + (plain ? text.size() : 0)) << text;
  return plain ? std::optional(value) : std::nullopt;
}

void ExpectSame(const std::string& text) {
  const auto expected = Reference(text);
  ASSERT_TRUE(expected) << text;
  const auto value = DoubleOf(text);
  ASSERT_TRUE(value) << text;
  ASSERT_EQ(std::bit_cast<uint64_t>(*value), std::bit_cast<uint64_t>(*expected)) << text;
  const auto narrow = static_cast<float>(*expected);
  const auto single = FloatOf(text);
  ASSERT_EQ(single.has_value(), std::isfinite(narrow)) << text;
  if (single) {
    ASSERT_EQ(std::bit_cast<uint32_t>(*single), std::bit_cast<uint32_t>(narrow)) << text;
  }
  if (const auto plain = PlainFloatOf(text)) {
    ASSERT_EQ(std::bit_cast<uint32_t>(*plain), std::bit_cast<uint32_t>(narrow)) << text;
  }
}

TEST(ToDouble, IsExactForTextsOfAnyDouble) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kMany; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) ExpectSame(Shortest(value));
  }
}

TEST(ToDouble, IsExactForDecimalsOfEveryLengthAndScale) {
  std::mt19937_64 random(2);
  for (int i = 0; i < kMany; ++i) {
    std::string digits = std::to_string(random() >> random() % 64);
    if (random() % 4 == 0) digits += std::to_string(random());
    const size_t point = digits[0] == '0' ? 1 : random() % digits.size() + 1;
    std::string text = random() % 2 == 0 ? "-" : "";
    text.append(digits, 0, point);
    if (point < digits.size()) text.append(1, '.').append(digits, point);
    if (random() % 2 == 0) text.append(1, 'e').append(std::to_string(static_cast<int>(random() % 60) - 30));
    ExpectSame(text);
  }
}

// Where the nearest double of a text rounds to another float than the text itself would, JavaScript
// rounds twice, and so do we.
TEST(ToFloat, RoundsTwiceAsMathFroundDoes) {
  std::mt19937_64 random(3);
  for (int i = 0; i < kMany; ++i) {
    const auto low = std::bit_cast<float>(static_cast<uint32_t>(random() % 0x7f000000));
    const double middle = (double{low} + double{std::nextafter(low, HUGE_VALF)}) / 2;
    for (const double value : {middle, std::nextafter(middle, 0), std::nextafter(middle, HUGE_VAL)}) {
      char text[1200];
      char* const end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 25).ptr;
      ExpectSame({text, end});
      ExpectSame(Shortest(value));
    }
  }
}

TEST(ReadPlainFloat, ReadsTheUsualTextsOfFloats) {
  const std::pair<const char*, float> cases[] = {
      {"0.5", 0.5f},     {"-0.25", -0.25f},         {"12345.75", 12345.75f},
      {"0.0", 0.0f},     {"-0.000", -0.0f},         {"-0.12345678955316544", -0.12345679f},
      {"1.0", 1.0f},     {"0.0001", 0.0001f},       {"0.12345678955316541", 0.12345679f},
      {"3.14159", 3.14159f}, {"0.000000000000012345", 1.2345e-14f}};
  for (const auto& [text, value] : cases) {
    const auto plain = PlainFloatOf(text);
    ASSERT_TRUE(plain) << text;
    EXPECT_EQ(std::bit_cast<uint32_t>(*plain), std::bit_cast<uint32_t>(value)) << text;
  }
}

TEST(ReadPlainFloat, IsExactForEveryNumberOfDigits) {
  std::mt19937_64 random(4);
  for (int i = 0; i < kMany; ++i) {
    std::string text = random() % 2 == 0 ? "-" : "";
    text += std::to_string(random() % 2 == 0 ? 0 : random() >> random() % 64);
    text += '.';
    for (size_t digits = random() % 22 + 1; digits > 0; --digits) {
      text += static_cast<char>('0' + (random() % 4 == 0 ? 0 : random() % 10));
    }
    ExpectSame(text);
  }
}

TEST(ReadPlainFloat, RefusesAnyOtherText) {
  for (const char* text : {"", "-", ".", "1", "-1", "1.", "-1.", ".5", "-.5", "00.5", "-01.5", "+1.5", "--1.5",
                           "1.5e3", "1.5E3", "1.5 ", " 1.5", "1..5", "1.5.", "1.-5", "1.5-", "a.5", "1.a", "1.5]",
                           "[1.5", "1.5:", "1.5/", "NaN", "null", "\"1.5\"", "1.0000000000000000000001",
                           "340282350000000000000000000000000000000.0", "0.00000000000000000000000000000000000000001",
                           "16777217.0", "18446744073709551616.123", "\xB1.5", "1.\xB5", "1.5\xB0"}) {
    EXPECT_EQ(PlainFloatOf(text), std::nullopt) << text;
  }
}

TEST(ReadPlainFloat, ReadsNothingNearTheEndOfTheText) {
  for (size_t length = 0; length < 64; ++length) {
    const ExactText exact(std::string("1.5,2.5,3.5,").append(64, '0').substr(0, length));
    const std::string_view view = exact.view();
    const char* at = view.data();
    float value = 0;
    const bool plain = ReadPlainFloat(at, view.data() + view.size(), value);
    EXPECT_EQ(value, plain ? 1.5f : 0.0f);
  }
}

TEST(ToDouble, RefusesNumbersBeyondTheRangeAndRoundsToZeroBelowIt) {
  for (const char* text : {"1e309", "-1e309", "1.8e308", "1e999999999999999999", "123456789e400"}) {
    EXPECT_EQ(DoubleOf(text), std::nullopt) << text;
    EXPECT_EQ(FloatOf(text), std::nullopt) << text;
  }
  for (const char* text : {"1e-400", "1e-999999999999999999", "0.0000001e-330", "0e999999999999"}) {
    EXPECT_EQ(DoubleOf(text), 0.0) << text;
    EXPECT_EQ(FloatOf(text), 0.0f) << text;
  }
  EXPECT_TRUE(std::signbit(*DoubleOf("-1e-400")));
  EXPECT_TRUE(std::signbit(*DoubleOf("-0")));
  EXPECT_TRUE(std::signbit(*FloatOf("-0.0")));
  EXPECT_TRUE(std::signbit(*FloatOf("-1e-60")));
  EXPECT_EQ(DoubleOf("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(FloatOf("3.4028235e38"), std::numeric_limits<float>::max());
  EXPECT_EQ(FloatOf("3.4028236e38"), std::nullopt);
  EXPECT_EQ(FloatOf("1e39"), std::nullopt);
  EXPECT_EQ(FloatOf("1e-46"), 0.0f);
}

TEST(ToDouble, ReadsLongTextsOfZeros) {
  const auto zeros = [](std::string before, size_t count, const char* behind) {
    return before.append(count, '0').append(behind);
  };
  EXPECT_EQ(DoubleOf(zeros("0.", 400, "1")), 0.0);
  EXPECT_EQ(DoubleOf(zeros("0.", 100, "1e101")), 1.0);
  EXPECT_EQ(DoubleOf(zeros("1", 400, "")), std::nullopt);
  EXPECT_EQ(DoubleOf(zeros("1", 100, "e-100")), 1.0);
  EXPECT_EQ(DoubleOf(zeros("1.", 400, "")), 1.0);
}

}  // namespace
}  // namespace millrace
