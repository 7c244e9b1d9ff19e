// Shows masks on images.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/resample.h"

namespace millrace {

// Blends a colour over the pixels of a mask: each byte becomes byte + (colour − byte) × opacity, rounded. `counts` are
// the uncompressed counts of COCO's run-length encoding: the lengths of runs of 0 and 1 in turn, beginning with 0, down
// the columns from the left. `rgb` has height × width × 3 bytes, and `opacity` is between 0 and 1. Returns false if the
// counts do not add up to the pixels of the image, of which some may have been changed then. Each count is read once.
bool BlendMask(uint8_t* rgb, size_t width, size_t height, std::span<const uint32_t> counts,
               const std::array<uint8_t, 3>& color, double opacity) noexcept;

}  // namespace millrace
