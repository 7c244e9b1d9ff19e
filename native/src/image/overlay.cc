#include "image/overlay.h"

#include <algorithm>
#include <cmath>

namespace millrace {

bool BlendMask(uint8_t* rgb, size_t width, size_t height, std::span<const uint32_t> counts,
               const std::array<uint8_t, 3>& color, double opacity) noexcept {
  std::array<std::array<uint8_t, 256>, 3> blended;
  for (size_t c = 0; c < color.size(); ++c) {
    for (int byte = 0; byte < 256; ++byte) {
      blended[c][static_cast<size_t>(byte)] =
          static_cast<uint8_t>(std::lround(byte + (color[c] - byte) * opacity));
    }
  }
  const size_t pixels = width * height;
  size_t at = 0;
  bool inside = false;
  for (const uint32_t& count : counts) {
    size_t length = count;
    if (length > pixels - at) return false;
    if (!inside) at += length;
    while (inside && length > 0) {
      const size_t row = at % height;
      const size_t here = std::min(length, height - row);
      uint8_t* pixel = rgb + (row * width + at / height) * 3;
      for (size_t i = 0; i < here; ++i, pixel += width * 3) {
        for (size_t c = 0; c < 3; ++c) pixel[c] = blended[c][pixel[c]];
      }
      at += here;
      length -= here;
    }
    inside = !inside;
  }
  return at == pixels;
}

}  // namespace millrace
