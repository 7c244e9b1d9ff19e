// Writes the shortest decimal text of a float32.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace {

// The bytes that WriteFloat may write to, which are more than the text has.
inline constexpr size_t kFloatRoom = 32;

// Writes the shortest text in the grammar of JSON that reads back as `value`, which must be finite. If there are
// several, it writes the one that is nearest to `value`. Returns the end of the text.
//
// std::to_chars writes as many digits, but takes three times as long for numbers that it has not seen before, because
// its branches depend on the value and are mispredicted (.github/decisions has the measurement).
char* WriteFloat(char* at, float value) noexcept;

// ─────────────────────────────────────────────────────────────────────────────────────────────────
// Implementation, inline because it is the loop of every written tensor.
//
// The method is Raffaello Giulietti's ("The Schubfach way to render doubles", 2020), for 24-bit
// significands: scale the value and the ends of its rounding interval by a power of ten that makes
// them integers of at most nine digits, then take the one multiple of ten in the interval, or else the
// nearest integer.

namespace shortest_internal {

// The range of powers of ten that the scaling of floats needs.
inline constexpr int kFirstPower = -31;
inline constexpr int kLastPower = 45;

constexpr int FloorLog2OfPow10(int power) noexcept { return (power * 1741647) >> 19; }
constexpr int FloorLog10OfPow2(int power) noexcept { return (power * 1262611) >> 22; }
constexpr int FloorLog10OfThreeQuartersPow2(int power) noexcept {
  return (power * 1262611 - 524031) >> 22;
}

// A natural number of 256 bits, least significant word first.
using Wide = std::array<uint32_t, 8>;

constexpr void Multiply(Wide& number, uint32_t factor) noexcept {
  uint64_t carry = 0;
  for (uint32_t& word : number) {
    carry += uint64_t{word} * factor;
    word = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
}

constexpr void Divide(Wide& number, uint32_t divisor) noexcept {
  uint64_t rest = 0;
  for (size_t i = number.size(); i-- > 0;) {
    rest = rest << 32 | number[i];
    number[i] = static_cast<uint32_t>(rest / divisor);
    rest %= divisor;
  }
}

constexpr bool Bit(const Wide& number, int bit) noexcept {
  return (number[static_cast<size_t>(bit) / 32] >> (bit % 32) & 1) != 0;
}

// Returns 10^power, scaled by a power of two so that it has 64 bits and the highest is 1, and rounded up.
constexpr uint64_t ScaledPow10(int power) noexcept {
  constexpr int kShift = 200;  // the number of bits after the point
  const bool whole = power >= 0;
  Wide number{};
  number[whole ? 0 : kShift / 32] = whole ? 1 : 1u << kShift % 32;
  for (int i = 0; i < (whole ? power : -power); ++i) {
    if (whole) {
      Multiply(number, 10);
    } else {
      Divide(number, 10);
    }
  }
  const int top = FloorLog2OfPow10(power) + (whole ? 0 : kShift);
  uint64_t scaled = 0;
  for (int bit = top; bit > top - 64; --bit) scaled = scaled << 1 | (bit >= 0 && Bit(number, bit));
  bool exact = whole;
  for (int bit = top - 64; bit >= 0; --bit) exact = exact && !Bit(number, bit);
  return scaled + !exact;
}

inline constexpr auto kPow10 = [] {
  std::array<uint64_t, kLastPower - kFirstPower + 1> table{};
  for (int power = kFirstPower; power <= kLastPower; ++power) {
    table[static_cast<size_t>(power - kFirstPower)] = ScaledPow10(power);
  }
  return table;
}();

// digits × 10^exponent
struct Decimal {
  uint32_t digits;
  int exponent;
};

// The factor by which a significand is multiplied: scale × 2^(shift - 64) is 2^power ÷ 10^exponent.
struct Scaling {
  uint64_t scale;
  int exponent;
  int shift;
};

constexpr Scaling ScalingOf(int power, int exponent) noexcept {
  return {kPow10[static_cast<size_t>(-exponent - kFirstPower)], exponent,
          power + FloorLog2OfPow10(-exponent) + 1};
}

constexpr int PowerOf(uint32_t biased) noexcept {
  return static_cast<int>(biased == 0 ? 1 : biased) - 150;
}

// The index is the biased exponent of the float.
inline constexpr auto kScalings = [] {
  std::array<Scaling, 256> table{};
  for (uint32_t biased = 0; biased < table.size(); ++biased) {
    const int power = PowerOf(biased);
    table[biased] = ScalingOf(power, FloorLog10OfPow2(power));
  }
  return table;
}();

__extension__ using Product = unsigned __int128;

// Returns the integer part of the product, with the last bit set if a fraction was cut off.
inline uint32_t RoundToOdd(Product product) noexcept {
  const auto whole = static_cast<uint32_t>(product >> 64);
  const auto rest = static_cast<uint32_t>(product >> 32);
  return whole | (rest > 1);
}

// Returns the shortest decimal for the float with these bits, which must be neither zero nor negative.
inline Decimal Shortest(uint32_t bits) noexcept {
  constexpr uint32_t kHidden = uint32_t{1} << 23;
  const uint32_t fraction = bits & (kHidden - 1);
  const uint32_t biased = bits >> 23;
  // value = significand × 2^power
  const uint32_t significand = biased == 0 ? fraction : fraction | kHidden;
  Scaling scaling = kScalings[biased];

  // The next float below a power of two is half as far away as the next one above.
  const bool uneven = fraction == 0 && biased > 1;
  if (uneven) [[unlikely]] {
    const int power = PowerOf(biased);
    scaling = ScalingOf(power, FloorLog10OfThreeQuartersPow2(power));
  }
  const auto& [scale, exponent, shift] = scaling;

  // Four times the value and the bounds of its rounding interval, which includes its bounds if the significand is even.
  const Product exact = Product{scale} * (significand * 4 << shift);
  const Product half = Product{scale} << (shift + 1);
  const uint32_t odd = significand & 1;
  const uint32_t value = RoundToOdd(exact);
  const uint32_t low = RoundToOdd(exact - (half >> uneven)) + odd;
  const uint32_t high = RoundToOdd(exact + half) - odd;

  const uint32_t whole = value / 4;
  const uint32_t tens = whole / 10;
  const uint32_t tens_below = low <= tens * 40;
  const uint32_t tens_above = tens * 40 + 40 <= high;
  const uint32_t below = low <= whole * 4;
  const uint32_t above = whole * 4 + 4 <= high;
  const uint32_t middle = whole * 4 + 2;
  const uint32_t nearer_above = (value > middle) | ((value == middle) & (whole & 1));
  // The choice changes from value to value, so it is computed with numbers that are 0 or 1 instead of with branches,
  // which the processor could not predict.
  const uint32_t shorter = (whole >= 10) & (tens_below ^ tens_above);
  const uint32_t decided = below ^ above;
  const uint32_t up = decided * above + (1 - decided) * nearer_above;
  return {shorter * (tens + tens_above) + (1 - shorter) * (whole + up),
          exponent + static_cast<int>(shorter)};
}

// Returns the number of decimal digits of `number`, which must be from 1 to 999999999.
inline int CountDigits(uint32_t number) noexcept {
  static constexpr std::array<uint32_t, 10> kLeast = {0,       10,       100,       1000,       10000,
                                                      100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  // `| 1` does not change the result, and spares std::countl_zero its special case for 0.
  const int guess = (32 - std::countl_zero(number | 1)) * 1233 >> 12;
  return guess + (number >= kLeast[static_cast<size_t>(guess)]);
}

// Returns the digits of `number`, one in each byte. This is the reverse of number_internal::Combine.
inline uint64_t Separate(uint64_t number) noexcept {
  const uint64_t fours = number / 10000 | number % 10000 << 32;
  // Each multiplication computes several quotients at once.
  const uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;
  const uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;
  return tens | (pairs - tens * 10) << 8;
}

inline char* WriteExponent(char* at, int exponent) noexcept {
  const int magnitude = exponent < 0 ? -exponent : exponent;
  *at++ = 'e';
  *at = '-';
  at += exponent < 0;
  *at = static_cast<char>('0' + magnitude / 10);
  at += magnitude >= 10;
  *at++ = static_cast<char>('0' + magnitude % 10);
  return at;
}

}  // namespace shortest_internal

inline char* WriteFloat(char* at, float value) noexcept {
  using namespace shortest_internal;
  constexpr int kDigits = 9;
  const auto bits = std::bit_cast<uint32_t>(value);
  *at = '-';
  at += bits >> 31;
  if (bits << 1 == 0) {
    *at = '0';
    return at + 1;
  }
  static constexpr std::array<uint32_t, kDigits> kScale = {1,      10,      100,      1000,     10000,
                                                           100000, 1000000, 10000000, 100000000};
  const Decimal decimal = Shortest(bits & 0x7fffffff);
  const int length = CountDigits(decimal.digits);
  const int point = length + decimal.exponent;  // digits before the point
  // The digits are padded with trailing zeros to nine: the first one, and a word of eight.
  const uint32_t aligned = decimal.digits * kScale[static_cast<size_t>(kDigits - length)];
  const char first = static_cast<char>('0' + aligned / 100'000'000);
  const uint64_t rest = Separate(aligned % 100'000'000);
  const int used = kDigits - static_cast<int>(static_cast<unsigned>(std::countl_zero(rest)) / 8);
  const uint64_t text = rest | 0x3030303030303030;

  constexpr int kZeros = 5;  // with more zeros after the point, an exponent is written
  if (point <= 0 && point >= -kZeros) {
    std::memcpy(at, "0.000000", 8);
    at += 2 - point;
    *at = first;
    std::memcpy(at + 1, &text, sizeof text);
    return at + used;
  }
  const bool plain = point > 0 && point <= kDigits;
  const int before = plain ? point : 1;
  const uint64_t fraction = text >> 4 * (before - 1) >> 4 * (before - 1);
  *at = first;
  std::memcpy(at + 1, &text, sizeof text);
  at[before] = '.';
  std::memcpy(at + before + 1, &fraction, sizeof fraction);
  at += used > before ? used + 1 : before;
  return plain ? at : WriteExponent(at, point - 1);
}

}  // namespace millrace
