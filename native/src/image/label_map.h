// Which of several planes is highest at each pixel of an image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/grid_axis.h"
#include "image/stop_check.h"

namespace millrace {

// Values [count, height, width].
struct Planes {
  std::span<const float> values;
  size_t count = 0;
  size_t height = 0;
  size_t width = 0;
};

class LabelSink {
 public:
  virtual ~LabelSink() = default;
  // `length` pixels from `place` on (see run_lengths.h) have the same label. `probability` is the sum of their probabilities by
  // the softmax over all planes, with an error of about 1e-6 each, or 0 if these were not wanted. Places rise from call to call.
  virtual void Add(uint32_t label, size_t place, size_t length, double probability) = 0;
};

// Interpolates the planes bilinearly and calls the sink for the pixels of the axes, down the columns from the left. Of equal
// planes the first one counts; pixels at which no plane has a number are left out. The memory does not depend on the size of the
// image: interpolated values lie between those of the four corners of a cell, so that planes that are lower in all corners than
// another one is anywhere are not looked at for the pixels of that cell. Throws StatusError.
void FindLabels(const Planes& planes, const GridAxis& columns, const GridAxis& rows, size_t image_height, bool probabilities,
                StopCheck& stop, LabelSink& sink);

}  // namespace millrace
