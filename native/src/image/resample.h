// Resizes images as Pillow does, to the byte.
//
// The source is the description of the method in Pillow's documentation ("Filters" in its handbook: the support of a
// filter grows with the reduction) and what its results show: the axes are computed one after the other; the weights
// are rounded to 22 fractional bits; and each pass rounds to bytes. Pillow 13 computes the rows first if the height
// shrinks by more than twice what the width shrinks by (its pull request 9549), and else the columns, as all versions
// before 12.2. `nearest` takes the pixel that is under the centre of the new one. test/fixtures/images/resample.py makes
// what the tests compare with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/image_size.h"
#include "image/resample_passes.h"

namespace millrace {

// The filters, with the numbers of native/images.ts.
enum class ResampleFilter : uint8_t { kNearest, kLanczos, kBilinear, kBicubic, kBox, kHamming };

// Interleaved 8-bit channels, the rows from the top and without gaps. All sizes are at least 1.
struct PixelView {
  const uint8_t* data = nullptr;
  size_t width = 0;
  size_t height = 0;
  size_t channels = 0;  // 1 or 3
};

// A part of an image, in pixels.
struct PixelWindow {
  size_t left = 0;
  size_t top = 0;
  size_t width = 0;
  size_t height = 0;
};

// Pixels along an axis.
struct PixelRange {
  size_t first = 0;
  size_t count = 0;
};

// Returns the pixels of an axis from which Resample computes the new ones `first` to `first + count`.
PixelRange NeededPixels(size_t size, size_t new_size, ResampleFilter filter, size_t first, size_t count);

// Computes a part of the image that is resized to `width` × `height`, and writes its rows to `out`, `stride` bytes from
// each other. No side may be longer than kMaxImageSide, the window has to be inside of the result and to have pixels, and
// `out` must not overlap the pixels. Takes memory of at most 8 MiB for what is between the passes. Throws
// std::bad_alloc. Thread-safe.
void Resample(const PixelView& pixels, size_t width, size_t height, ResampleFilter filter,
              const PixelWindow& window, uint8_t* out, size_t stride,
              const ResamplePasses& passes = BestPasses());

}  // namespace millrace
