// Reductions over the logits of a row, written so that compilers turn them into vector instructions; for ExpOfNegative
// they need -fno-trapping-math, which CMakeLists.txt sets.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace millrace {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Returns the largest value, or minus infinity if there is none. Values that are not numbers do not count.
inline float MaxOf(std::span<const float> values) noexcept {
  constexpr size_t kLanes = 32;
  std::array<float, kLanes> lanes;
  lanes.fill(kMinusInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    const float* const block = values.data() + i;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = lanes[lane] < block[lane] ? block[lane] : lanes[lane];
    }
  }
  for (; i < values.size(); ++i) lanes[0] = lanes[0] < values[i] ? values[i] : lanes[0];
  return *std::ranges::max_element(lanes);
}

// Returns the index of the first of the largest values, or -1 if all are minus infinity or not numbers.
inline int64_t ArgMax(std::span<const float> values) noexcept {
  const float most = MaxOf(values);
  if (most == kMinusInfinity) return -1;
  return std::ranges::find(values, most) - values.begin();
}

// e to the power of x for x of at most 0, with a relative error of about 1e-7; below -87, where single precision ends,
// it is that of -87. The reduction and the polynomial are those of expf in the Cephes library (Moshier 1992).
inline float ExpOfNegative(float x) noexcept {
  // Adding and subtracting it rounds to a whole number.
  constexpr float kRounding = 12'582'912.0f;
  const float clamped = x > -87.0f ? x : -87.0f;
  const float power = (clamped * 1.44269504f + kRounding) - kRounding;
  // The logarithm of 2 in two parts, of which the first has few bits, so that its products are exact.
  const float rest = (clamped - power * 0.693359375f) + power * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * rest * rest + rest + 1.0f;
  const auto exponent = static_cast<uint32_t>(static_cast<int32_t>(power) + 127) << 23;
  return sum * std::bit_cast<float>(exponent);
}

// Returns the sum of e^(value - most), where `most` is the largest value and finite.
inline double SumOfExp(std::span<const float> values, float most) noexcept {
  // Single precision adds few enough numbers in a lane for its rounding not to matter.
  constexpr size_t kBlock = 1024;
  constexpr size_t kLanes = 8;
  std::array<float, kBlock> powers;
  double total = 0;
  for (size_t start = 0; start < values.size(); start += kBlock) {
    const size_t size = std::min(kBlock, values.size() - start);
    const float* const block = values.data() + start;
    for (size_t i = 0; i < size; ++i) powers[i] = ExpOfNegative(block[i] - most);
    std::fill(powers.begin() + static_cast<std::ptrdiff_t>(size), powers.end(), 0.0f);
    std::array<float, kLanes> lanes{};
    for (size_t i = 0; i < kBlock; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += powers[i + lane];
    }
    for (const float lane : lanes) total += lane;
  }
  return total;
}

// Writes the logarithm of the softmax of `logits` to `out`, which has the same size. Returns false if no logit is
// finite or one is infinite, because then there is no softmax.
inline bool LogSoftmax(std::span<const float> logits, std::span<float> out) noexcept {
  const float most = MaxOf(logits);
  if (!std::isfinite(most)) return false;
  const auto log_sum = static_cast<float>(std::log(SumOfExp(logits, most)));
  for (size_t i = 0; i < logits.size(); ++i) out[i] = (logits[i] - most) - log_sum;
  return true;
}

}  // namespace millrace
