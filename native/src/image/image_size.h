// The limits of images.
#pragma once

#include <cstddef>

namespace millrace {

// The most pixels of an image or a canvas, 16384², so that every place in one fits into 32 bits with room to spare.
inline constexpr size_t kMaxImagePixels = size_t{1} << 28;
// The longest side of an image or a canvas.
inline constexpr size_t kMaxImageSide = 65'535;

}  // namespace millrace
