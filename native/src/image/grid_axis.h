// How the pixels of an image lie between the values of a coarser (or finer) grid, such as the logits of a model, and the masks
// that come of bilinear interpolation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/head_tensor.h"
#include "image/run_lengths.h"
#include "image/stop_check.h"

namespace millrace {

// A pixel lies between the values `cell` and `cell` + 1, of which the second has the weight `part`.
struct AxisSample {
  uint32_t cell = 0;
  float part = 0;
};

// The pixels from `first` on, along one axis, on a grid of `size` values. The last value stands for the one after it, too.
struct GridAxis {
  size_t first = 0;
  size_t size = 0;
  std::vector<AxisSample> samples;

  size_t last() const noexcept { return first + samples.size(); }
};

// Neighbouring pixels in the same cell, at equal distances (those at the ends of an axis may lie at the same place).
struct AxisRun {
  uint32_t cell = 0;
  size_t first = 0;
  size_t last = 0;  // exclusive
};

// Where pixels lie on a grid: at (pixel + 0.5) × scale + offset − 0.5, but from `low` to `high` and within the grid. With scale =
// grid / image this is the interpolation of PyTorch with align_corners=False.
struct AxisPlace {
  double scale = 1;
  double offset = 0;
  double low = 0;
  double high = 0;
};

// Places the pixels `first` to `last` (exclusive).
GridAxis MakeAxis(size_t first, size_t last, const AxisPlace& place, size_t size);

// Places the pixels of an image on a grid that covers a canvas. Leaves out the pixels that the canvas does not show. As if the part of the
// grid that shows the image were cut out first, none lies between values of the image and of what is beside it.
GridAxis ColumnsOf(const CanvasGeometry& geometry, size_t size);
GridAxis RowsOf(const CanvasGeometry& geometry, size_t size);

// Keeps the pixels from `first` to `last` (exclusive).
void KeepPixels(size_t first, size_t last, GridAxis& axis);

// Keeps the pixels in the cells `first` to `last` (exclusive), and makes these the grid.
void KeepCells(size_t first, size_t last, GridAxis& axis);

std::vector<AxisRun> RunsOf(const GridAxis& axis);

// Values of a grid, column by column.
struct GridColumns {
  size_t height = 0;
  std::vector<float> values;
};

// What stands for values that are not numbers: no pixel near them has a label or is in a mask.
inline constexpr float kNoValue = -1e29f;

// Returns a number that stays finite in sums with others.
inline float Finite(float value) noexcept {
  constexpr float kMost = 1e30f;
  return value > -kMost ? (value < kMost ? value : kMost) : -kMost;
}

// Adds the pixels at which the interpolated grid is at least `threshold`. Throws StatusError.
void WriteGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold,
                   size_t image_height, StopCheck& stop, RunWriter& writer);

// Returns the number of these pixels; if there are more than `most`, any number above it. Throws StatusError.
size_t AreaOfGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold, size_t most,
                      StopCheck& stop);

}  // namespace millrace
