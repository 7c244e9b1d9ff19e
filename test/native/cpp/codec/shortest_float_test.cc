#include "codec/shortest_float.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "support/codec.h"

namespace millrace {
namespace {

std::string Text(float value) {
  char text[kFloatRoom];
  return {text, WriteFloat(text, value)};
}

// The significant digits of a number and the power of ten of the first: what is left of its text when
// every way to write it is the same.
struct Digits {
  std::string digits;
  int exponent = 0;
  bool operator==(const Digits&) const = default;
};

Digits DigitsOf(const std::string& text) {
  Digits result;
  bool point = false;
  int before = 0;
  size_t i = text[0] == '-' ? 1 : 0;
  for (; i < text.size() && text[i] != 'e'; ++i) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    if (!point) ++before;
    result.digits += text[i];
  }
  const int power = i < text.size() ? std::stoi(text.substr(i + 1)) : 0;
  const size_t zeros = result.digits.find_first_not_of('0');
  result.digits.erase(0, zeros);
  result.digits.erase(result.digits.find_last_not_of('0') + 1);
  result.exponent = before - 1 - static_cast<int>(zeros) + power;
  return result;
}

std::string Reference(float value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr};
}

// Counts what is wrong with the texts of floats, so that a broken writer does not print a million lines.
class Comparison {
 public:
  void Look(uint32_t bits) {
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value) || value == 0) return;
    ++looked;
    const std::string text = Text(value);
    float back = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), back);
    const bool same = read.ptr == text.data() + text.size() && std::bit_cast<uint32_t>(back) == bits;
    if (same && DigitsOf(text) == DigitsOf(Reference(value))) return;
    if (++wrong <= 5) ADD_FAILURE() << std::hexfloat << value << " is written " << text << ", not " << Reference(value);
  }

  size_t looked = 0;
  size_t wrong = 0;
};

TEST(ShortestFloat, IsAJsonNumberWithAnExponentIfThatIsShorter) {
  const std::pair<float, const char*> cases[] = {
      {0.0f, "0"},          {-0.0f, "-0"},       {1.0f, "1"},          {-1.5f, "-1.5"},
      {0.1f, "0.1"},        {100.0f, "100"},     {123456.0f, "123456"}, {0.000001f, "0.000001"},
      {0.0000001f, "1e-7"}, {1e9f, "1e9"},       {1e10f, "1e10"},      {16777216.0f, "16777216"},
      {3.4028235e38f, "3.4028235e38"},           {1.17549435e-38f, "1.1754944e-38"},
      {1e-45f, "1e-45"},    {3.14159274f, "3.1415927"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(Text(value), text);
}

TEST(ShortestFloat, IsShortestAndNearestAtBothEndsOfEveryExponent) {
  Comparison comparison;
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (uint32_t i = 0; i < 512 / test::kSlowness; ++i) {
      comparison.Look((exponent << 23) + i);
      comparison.Look((exponent << 23) - 1 - i);
    }
  }
  EXPECT_GT(comparison.looked, 250'000u / test::kSlowness);
  EXPECT_EQ(comparison.wrong, 0u);
}

TEST(ShortestFloat, IsShortestAndNearestForNeighboursOfShortDecimals) {
  Comparison comparison;
  for (int power = -45; power <= 38; ++power) {
    for (int digits = 1; digits < 100; ++digits) {
      const auto bits = std::bit_cast<uint32_t>(static_cast<float>(digits * std::pow(10.0, power)));
      for (uint32_t i = 0; i < 9; ++i) comparison.Look(bits + i - 4);
    }
  }
  EXPECT_GT(comparison.looked, 60'000u);
  EXPECT_EQ(comparison.wrong, 0u);
}

// Half a million floats of either sign, evenly spread over their bits.
TEST(ShortestFloat, IsShortestAndNearestAllOverTheRange) {
  constexpr uint64_t kStep = 4099 * test::kSlowness;
  Comparison comparison;
  for (uint64_t bits = 1; bits <= std::numeric_limits<uint32_t>::max(); bits += kStep) {
    comparison.Look(static_cast<uint32_t>(bits));
  }
  EXPECT_GT(comparison.looked, 1'000'000u / test::kSlowness);
  EXPECT_EQ(comparison.wrong, 0u);
}

TEST(ShortestFloat, NeverWritesBeyondItsRoom) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isfinite(value)) continue;
    // Of its exact size on the heap, where a sanitizer guards both ends.
    const auto room = std::make_unique<char[]>(kFloatRoom);
    const char* const end = WriteFloat(room.get(), value);
    ASSERT_LE(end - room.get(), 16);
  }
}

}  // namespace
}  // namespace millrace
