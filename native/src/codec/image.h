// Pixels to what vision models take.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

inline constexpr size_t kMaxChannels = 4;

// What is done to each byte of a pixel: plane c is gain[c] × byte number source[c] + bias[c].
struct PixelMap {
  size_t channels = 0;  // of the pixels and of the result, 1 to kMaxChannels
  std::array<float, kMaxChannels> gain{};
  std::array<float, kMaxChannels> bias{};
  std::array<uint8_t, kMaxChannels> source{};
};

// (byte × scale - mean[c]) / deviation[c], in the order of the planes. `reverse` swaps the first and the
// third byte, RGB to BGR and back. Both spans have one element a channel; no deviation is 0.
PixelMap NormalizingMap(float scale, std::span<const float> mean, std::span<const float> deviation,
                        bool reverse) noexcept;

// Copies `height` × `width` interleaved pixels (HWC) into planes of floats (CHW), mapped. Both take
// height × width × channels elements and do not overlap. Made to stand where a batch is gathered, in
// place of the plain copy. Any thread.
void MapPixels(const uint8_t* pixels, size_t height, size_t width, const PixelMap& map,
               float* planes) noexcept;

}  // namespace millrace
