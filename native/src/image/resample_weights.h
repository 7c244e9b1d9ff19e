// The weights of a resampling along one axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace {

enum class ResampleFilter : uint8_t;

// The fractional bits of the weights.
inline constexpr int kWeightBits = 22;

// The pixels from which a new one is computed, and the place of their weights in AxisWeights::weights.
struct Taps {
  size_t first = 0;
  size_t count = 0;
  size_t offset = 0;
};

// The weights of pixels, for each new pixel of a range. Those of a new pixel add up to about 2^kWeightBits. Their
// magnitudes add up to less than twice that, so that their sum with bytes fits into 32 bits.
struct AxisWeights {
  std::vector<Taps> taps;
  std::vector<int32_t> weights;
};

// Returns the weights of the new pixels `first` to `first + count` of an axis that goes from `size` to `new_size` pixels.
// Throws std::bad_alloc. `filter` is not kNearest.
AxisWeights WeighAxis(size_t size, size_t new_size, ResampleFilter filter, size_t first, size_t count);

// Returns the pixels from `size` ones that are under the centres of the new ones, as a range of AxisWeights.
std::vector<size_t> NearestPixels(size_t size, size_t new_size, size_t first, size_t count);

}  // namespace millrace
