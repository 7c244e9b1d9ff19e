// The inner loops of a resampling, once for each set of instructions. All of them give the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/resample_weights.h"

namespace millrace {

// Rows of bytes, `stride` bytes from each other.
struct ByteRows {
  const uint8_t* data = nullptr;
  size_t stride = 0;
  size_t rows = 0;
  // The bytes that may be read from `data` on.
  size_t readable = 0;
};

struct ResamplePasses {
  // Computes the new pixels of `taps` in each row, from pixels of 1 or 3 channels. Throws std::bad_alloc.
  void (*columns)(const ByteRows& rows, size_t channels, std::span<const Taps> taps,
                  const AxisWeights& axis, uint8_t* out, size_t stride) = nullptr;
  // Computes one row for each of `taps`, `width` bytes of each row. The taps count the rows from `first` on. Throws
  // std::bad_alloc.
  void (*rows)(const ByteRows& rows, size_t first, size_t width, std::span<const Taps> taps,
               const AxisWeights& axis, uint8_t* out, size_t stride) = nullptr;
};

// Returns the loops for any processor, those for vector instructions if this processor has them (null otherwise), and
// the better ones of both.
const ResamplePasses& BaselinePasses() noexcept;
const ResamplePasses* VectorPasses() noexcept;
const ResamplePasses& BestPasses() noexcept;

}  // namespace millrace
