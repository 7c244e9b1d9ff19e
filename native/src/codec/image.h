// Converts pixels to the normalised planes that vision models take.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

inline constexpr size_t kMaxChannels = 4;

// The conversion of a pixel: plane c is gain[c] × byte source[c] of the pixel + bias[c].
struct PixelMap {
  size_t channels = 0;  // of the pixels and of the planes, 1 to kMaxChannels
  std::array<float, kMaxChannels> gain{};
  std::array<float, kMaxChannels> bias{};
  std::array<uint8_t, kMaxChannels> source{};
};

// Returns the map that computes (byte × scale - mean[c]) / deviation[c] for each plane c. `reverse` swaps the first and
// the third channel, such as RGB and BGR. Both spans have an element for each channel; no deviation may be 0.
PixelMap NormalizingMap(float scale, std::span<const float> mean, std::span<const float> deviation,
                        bool reverse) noexcept;

// Converts `height` × `width` interleaved pixels (HWC) to planes of floats (CHW). Both have height × width × channels
// elements, and must not overlap. The gather of a batch calls it in place of a copy. Thread-safe.
void MapPixels(const uint8_t* pixels, size_t height, size_t width, const PixelMap& map,
               float* planes) noexcept;

}  // namespace millrace
