// Conversion of IEEE 754 binary16 and bfloat16 floats, which are bit patterns because C++20 has no types for them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace millrace {

// Converts exactly, because every 16-bit float is a float32.
inline float HalfToFloat(uint16_t half) noexcept {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t rest = half & 0x7fffu;
  // Exponent and fraction moved to a float's place; the product mends the bias, subnormals included.
  const float scaled = std::bit_cast<float>(rest << 13) * 0x1p112f;
  const uint32_t bits = rest >= 0x7c00u ? 0x7f800000u | (rest << 13) : std::bit_cast<uint32_t>(scaled);
  return std::bit_cast<float>(sign | bits);
}

inline float BfloatToFloat(uint16_t bfloat) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(bfloat) << 16);
}

namespace half_internal {

// Rounds to the nearest 16-bit float with that many bits of exponent and fraction, ties to even.
template <int kExponentBits, int kFractionBits>
uint16_t Narrow(double value) noexcept {
  static_assert(1 + kExponentBits + kFractionBits == 16);
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr uint64_t kInfinity = ((uint64_t{1} << kExponentBits) - 1) << kFractionBits;
  constexpr int kDoubleFraction = 52;

  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t sign = bits >> 63 << 15;
  const uint64_t magnitude = bits & ~(uint64_t{1} << 63);
  if (std::isnan(value)) {
    return static_cast<uint16_t>(sign | kInfinity | (uint64_t{1} << (kFractionBits - 1)));
  }
  const int exponent = static_cast<int>(magnitude >> kDoubleFraction) - 1023;
  if (exponent > kBias) return static_cast<uint16_t>(sign | kInfinity);
  const int least = std::max(exponent, 1 - kBias);
  const int shift = kDoubleFraction - kFractionBits + (least - exponent);
  if (shift > kDoubleFraction + 1) return static_cast<uint16_t>(sign);

  constexpr uint64_t kHidden = uint64_t{1} << kDoubleFraction;
  const uint64_t significand = (magnitude & (kHidden - 1)) | kHidden;
  const uint64_t rest = significand & ((uint64_t{1} << shift) - 1);
  const uint64_t middle = uint64_t{1} << (shift - 1);
  uint64_t rounded = significand >> shift;
  rounded += rest > middle || (rest == middle && (rounded & 1) != 0);
  // The leading bit of a normal number adds the 1 that is missing from its exponent here.
  const uint64_t result = (static_cast<uint64_t>(least + kBias - 1) << kFractionBits) + rounded;
  return static_cast<uint16_t>(sign | std::min(result, kInfinity));
}

}  // namespace half_internal

// Rounds to the nearest value, ties to even, and to infinity beyond the range.
inline uint16_t DoubleToHalf(double value) noexcept { return half_internal::Narrow<5, 10>(value); }
inline uint16_t DoubleToBfloat(double value) noexcept { return half_internal::Narrow<8, 7>(value); }

}  // namespace millrace
