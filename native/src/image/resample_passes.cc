#include "image/resample_passes.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

uint8_t ToByte(int32_t sum) noexcept {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

template <size_t kChannels>
void BaselineColumnsOf(const ByteRows& rows, std::span<const Taps> taps, const AxisWeights& axis,
                       uint8_t* out, size_t stride) noexcept {
  for (size_t y = 0; y < rows.rows; ++y) {
    const uint8_t* const from = rows.data + y * rows.stride;
    uint8_t* to = out + y * stride;
    for (const Taps& tap : taps) {
      const uint8_t* pixel = from + tap.first * kChannels;
      const int32_t* const weights = axis.weights.data() + tap.offset;
      int32_t sums[kChannels];
      std::fill_n(sums, kChannels, kHalf);
      for (size_t i = 0; i < tap.count; ++i, pixel += kChannels) {
        for (size_t c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weights[i];
      }
      for (size_t c = 0; c < kChannels; ++c) *to++ = ToByte(sums[c]);
    }
  }
}

void BaselineColumns(const ByteRows& rows, size_t channels, std::span<const Taps> taps,
                     const AxisWeights& axis, uint8_t* out, size_t stride) {
  if (channels == 1) return BaselineColumnsOf<1>(rows, taps, axis, out, stride);
  BaselineColumnsOf<3>(rows, taps, axis, out, stride);
}

void BaselineRows(const ByteRows& rows, size_t first, size_t width, std::span<const Taps> taps,
                  const AxisWeights& axis, uint8_t* out, size_t stride) {
  // As many sums as stay in the nearest cache while the rows are added to them.
  constexpr size_t kStrip = 256;
  int32_t sums[kStrip];
  for (const Taps& tap : taps) {
    const uint8_t* const from = rows.data + (tap.first - first) * rows.stride;
    for (size_t x = 0; x < width; x += kStrip) {
      const size_t length = std::min(kStrip, width - x);
      std::fill_n(sums, length, kHalf);
      for (size_t i = 0; i < tap.count; ++i) {
        const uint8_t* const bytes = from + i * rows.stride + x;
        const int32_t weight = axis.weights[tap.offset + i];
        for (size_t j = 0; j < length; ++j) sums[j] += bytes[j] * weight;
      }
      for (size_t j = 0; j < length; ++j) out[x + j] = ToByte(sums[j]);
    }
    out += stride;
  }
}

}  // namespace

const ResamplePasses& BaselinePasses() noexcept {
  static constexpr ResamplePasses kPasses = {BaselineColumns, BaselineRows};
  return kPasses;
}

const ResamplePasses& BestPasses() noexcept {
  const ResamplePasses* const vector = VectorPasses();
  return vector == nullptr ? BaselinePasses() : *vector;
}

}  // namespace millrace
