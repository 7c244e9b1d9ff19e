// Parsers of JSON numbers, which check the grammar and compute the value in one pass over the text.
#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>
#include <type_traits>

namespace millrace {

// A number as it is written: (-1 if negative) × mantissa × 10^exponent, unless `wrapped`.
struct Number {
  const char* begin = nullptr;
  const char* end = nullptr;  // its end or, if it is malformed, the first wrong byte
  uint64_t mantissa = 0;
  int64_t exponent = 0;
  int64_t digits = 0;  // the number of significant digits
  bool negative = false;
  bool integer = false;  // it has neither a fraction nor an exponent
  bool wrapped = false;  // the mantissa cannot hold all digits, so the text must be read again
};

// Reads a number at `at`. Returns false if the text there is not a number in the grammar of JSON.
bool ScanNumber(const char* at, const char* end, Number& number) noexcept;

// Computes the nearest double, ties to even, which is exactly JavaScript's Number(text). Returns false beyond the
// range.
bool ToDouble(const Number& number, double& value) noexcept;

// Computes Math.fround(Number(text)). Returns false beyond the range of float32.
bool ToFloat(const Number& number, float& value) noexcept;

// The fast path for the usual element of an array, which is digits around a point with a comma after them. Reads it,
// computes its value and moves to the comma. Returns false, without reading anything, for any other text, near the end
// of the text, and for the rare values that need the exact method.
bool ReadPlainFloat(const char*& at, const char* end, float& value) noexcept;

// Computes an integer. Returns false if it is not an integer in the type's range.
template <typename Integer>
bool ToInteger(const Number& number, Integer& value) noexcept;

// ─────────────────────────────────────────────────────────────────────────────────────────────────
// Implementation, inline because it is the loop of every parsed tensor.

namespace number_internal {

static_assert(std::endian::native == std::endian::little);

// Every number of this many digits fits a uint64_t.
inline constexpr int64_t kSafeDigits = 19;
inline constexpr int64_t kExactPower = 22;
inline constexpr std::array<double, kExactPower + 1> kPowers = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline bool IsDigit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

inline constexpr std::array<uint64_t, 17> kScale = [] {
  std::array<uint64_t, 17> powers{1};
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

// Returns the value of eight digits, of which the most significant is in the lowest byte. Each byte is the value of a
// digit, as LoadDigits returns it.
inline uint64_t Combine(uint64_t digits) noexcept {
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;       // pairs
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;     // fours
  return (digits * 10000 + (digits >> 32)) & 0x00000000ffffffff;  // eight
}

// Loads eight characters and turns each digit into its value.
inline uint64_t LoadDigits(const char* at) noexcept {
  uint64_t text = 0;
  std::memcpy(&text, at, sizeof text);
  return text ^ 0x3030303030303030;
}

// Finds characters that are not digits in a word of LoadDigits. The lowest set bit of the result is in the byte of the
// first such character; the result is 0 if all are digits.
inline uint64_t Others(uint64_t digits) noexcept {
  return ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
}

// Returns the distance of the next comma if it is among the 24 bytes at `at`. Otherwise returns 24, which is longer
// than any number that ReadPlainFloat accepts.
inline size_t FindComma(const char* at) noexcept {
  const auto commas = [](const char* word) {
    uint64_t text = 0;
    std::memcpy(&text, word, sizeof text);
    text ^= 0x2c2c2c2c2c2c2c2c;
    return (text - 0x0101010101010101) & ~text & 0x8080808080808080;
  };
  const uint64_t first = commas(at);
  const uint64_t second = commas(at + 8);
  if ((first | second) == 0) return 16 + static_cast<size_t>(std::countr_zero(commas(at + 16))) / 8;
  const int bit = first != 0 ? std::countr_zero(first) : 64 + std::countr_zero(second);
  return static_cast<size_t>(bit) / 8;
}

// Every number of this many digits fits an int64_t.
inline constexpr std::ptrdiff_t kPlainDigits = 18;

// Appends the `count` digits at `at`, 1 to kPlainDigits, to the mantissa. Returns false if one of the characters is not
// a digit.
inline bool ReadFraction(const char* at, size_t count, uint64_t& mantissa) noexcept {
  __extension__ using Text = unsigned __int128;
  constexpr size_t kBlock = 16;
  uint64_t first = 0;
  uint64_t second = 0;
  uint64_t others = 0;
  if (count <= kBlock) {
    const Text text = (Text{LoadDigits(at + 8)} << 64 | LoadDigits(at)) << 8 * (kBlock - count);
    first = static_cast<uint64_t>(text);
    second = static_cast<uint64_t>(text >> 64);
    mantissa *= kScale[count];
  } else {
    const size_t before = count - kBlock;
    const uint64_t front = LoadDigits(at) << 8 * (8 - before);
    first = LoadDigits(at + before);
    second = LoadDigits(at + before + 8);
    others = Others(front);
    mantissa = (mantissa * kScale[before] + Combine(front)) * kScale[kBlock];
  }
  mantissa += Combine(first) * 100'000'000 + Combine(second);
  return (others | Others(first) | Others(second)) == 0;
}

// Appends the digits at `at` to the mantissa, eight at a time. There is no branch for each digit, because processors
// cannot predict where a number ends.
inline const char* Digits(const char* at, const char* end, uint64_t& mantissa) noexcept {
  while (end - at >= 8) {
    const uint64_t text = LoadDigits(at);
    if (const uint64_t others = Others(text); others != 0) {
      const auto count = static_cast<unsigned>(std::countr_zero(others)) / 8;
      mantissa = mantissa * kScale[count] + Combine(text << 8 * (7 - count) << 8);
      return at + count;
    }
    mantissa = mantissa * 100'000'000 + Combine(text);
    at += 8;
  }
  while (at != end && IsDigit(*at)) mantissa = mantissa * 10 + static_cast<uint64_t>(*at++ - '0');
  return at;
}

// Adds the exponent that follows an `e`. It stops growing far beyond any range, so that it cannot overflow. Returns
// false if there is no digit.
inline bool ScanExponent(const char* end, Number& number) noexcept {
  const char* at = number.end;
  bool negative = false;
  if (at != end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  const char* const first = at;
  int64_t exponent = 0;
  for (; at != end && IsDigit(*at); ++at) {
    if (exponent < 1'000'000'000) exponent = exponent * 10 + (*at - '0');
  }
  number.end = at;
  number.exponent += negative ? -exponent : exponent;
  return at != first;
}

// Returns whether all numbers within four units in the last place of `wide` round to the same float, if that is a
// normal float: no midpoint between two floats is that close. A double that was computed from a decimal with two
// roundings is within two units of it.
inline bool IsOffMiddle(double wide) noexcept {
  constexpr uint64_t kBelow = (uint64_t{1} << 29) - 1;
  constexpr uint64_t kMiddle = uint64_t{1} << 28;
  constexpr uint64_t kMargin = 4;
  const uint64_t below = std::bit_cast<uint64_t>(wide) & kBelow;
  return below - (kMiddle - kMargin) > 2 * kMargin;
}

// Computes the rare numbers for which the fast paths are not exact. It is out of line to keep those paths short.
[[gnu::noinline]] inline bool SlowDouble(const Number& number, double& value) noexcept {
  value = 0;
  const auto result = std::from_chars(number.begin, number.end, value);
  if (result.ec == std::errc()) return std::isfinite(value);
  // The number is out of range. One that is too small for a double becomes zero.
  if (number.digits + number.exponent > 0) return false;
  value = number.negative ? -0.0 : 0.0;
  return true;
}

}  // namespace number_internal

inline bool ScanNumber(const char* at, const char* end, Number& number) noexcept {
  using namespace number_internal;
  number.begin = at;
  number.mantissa = 0;
  number.exponent = 0;
  number.integer = true;
  number.wrapped = false;
  number.negative = at != end && *at == '-';
  at += number.negative;
  const char* const first = at;
  if (at != end && *at == '0') {
    ++at;
  } else {
    at = Digits(at, end, number.mantissa);
  }
  number.end = at;
  if (at == first || (at != end && IsDigit(*at))) return false;
  number.digits = at - first;
  if (at != end && *at == '.') {
    number.integer = false;
    const char* const fraction = ++at;
    at = Digits(at, end, number.mantissa);
    number.end = at;
    if (at == fraction) return false;
    number.exponent = fraction - at;
    number.digits += at - fraction;
  }
  if (number.digits > kSafeDigits) {
    for (const char* zero = first; zero != at && (*zero == '0' || *zero == '.'); ++zero) {
      number.digits -= *zero == '0';
    }
    number.wrapped = number.digits > kSafeDigits;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    number.integer = false;
    number.end = at + 1;
    return ScanExponent(end, number);
  }
  return true;
}

inline bool ToDouble(const Number& number, double& value) noexcept {
  using namespace number_internal;
  // Both operands are exact, so the result is rounded only once.
  const bool exact = !number.wrapped && number.mantissa <= (uint64_t{1} << 53) &&
                     number.exponent >= -kExactPower && number.exponent <= kExactPower;
  if (!exact) return SlowDouble(number, value);
  value = static_cast<double>(number.mantissa);
  if (number.exponent < 0) {
    value /= kPowers[static_cast<size_t>(-number.exponent)];
  } else {
    value *= kPowers[static_cast<size_t>(number.exponent)];
  }
  if (number.negative) value = -value;
  return true;
}

inline bool ToFloat(const Number& number, float& value) noexcept {
  using namespace number_internal;
  double wide = 0;
  if (!number.wrapped && number.exponent >= -kExactPower && number.exponent <= kExactPower) {
    wide = static_cast<double>(number.mantissa);
    if (number.exponent < 0) {
      wide /= kPowers[static_cast<size_t>(-number.exponent)];
    } else {
      wide *= kPowers[static_cast<size_t>(number.exponent)];
    }
    const bool normal = wide >= double{std::numeric_limits<float>::min()} &&
                        wide <= double{std::numeric_limits<float>::max()};
    if ((normal && IsOffMiddle(wide)) || number.mantissa == 0) {
      value = static_cast<float>(number.negative ? -wide : wide);
      return true;
    }
  }
  if (!SlowDouble(number, wide)) return false;
  value = static_cast<float>(wide);
  return std::isfinite(value);
}

inline bool ReadPlainFloat(const char*& at, const char* end, float& value) noexcept {
  using namespace number_internal;
  constexpr std::ptrdiff_t kReach = 48;  // the loads below read at most this many bytes
  if (end - at < kReach) return false;
  // The start of the next number depends only on this search, so the processor can work on several numbers at once.
  const char* const comma = at + FindComma(at);
  const bool negative = *at == '-';
  const char* const whole = at + negative;
  uint64_t mantissa = static_cast<unsigned char>(*whole - '0');
  const char* point = whole + 1;
  if (*point != '.') {
    // JSON allows no digit after a leading zero.
    if (*whole == '0') return false;
    for (; point < comma && IsDigit(*point); ++point) {
      mantissa = mantissa * 10 + static_cast<uint64_t>(*point - '0');
    }
  }
  const char* const fraction = point + 1;
  const std::ptrdiff_t count = comma - fraction;
  const std::ptrdiff_t significant = count + (*whole != '0' ? point - whole : 0);
  if (!IsDigit(*whole) || *point != '.' || count <= 0 || significant > kPlainDigits) return false;
  if (!ReadFraction(fraction, static_cast<size_t>(count), mantissa)) return false;

  // The mantissa is less than 2^63. `wide` is rounded at most twice, and is zero or far from the limits of float32.
  const double wide = static_cast<double>(static_cast<int64_t>(mantissa)) / kPowers[static_cast<size_t>(count)];
  if (!IsOffMiddle(wide)) return false;
  const auto sign = static_cast<uint32_t>(negative) << 31;
  value = std::bit_cast<float>(std::bit_cast<uint32_t>(static_cast<float>(wide)) | sign);
  at = comma;
  return true;
}

template <typename Integer>
bool ToInteger(const Number& number, Integer& value) noexcept {
  static_assert(std::is_integral_v<Integer>);
  if (!number.integer) return false;
  uint64_t magnitude = number.mantissa;
  if (number.wrapped) {
    const char* const first = number.begin + number.negative;
    if (std::from_chars(first, number.end, magnitude).ec != std::errc()) return false;
  }
  const auto most = static_cast<uint64_t>(std::numeric_limits<Integer>::max());
  const uint64_t limit = !number.negative ? most : std::is_signed_v<Integer> ? most + 1 : 0;
  if (magnitude > limit) return false;
  value = static_cast<Integer>(number.negative ? 0 - magnitude : magnitude);
  return true;
}

}  // namespace millrace
