// Masks as the uncompressed run-length encoding of COCO: the lengths of runs of 0 and 1 in turn, beginning with 0 and going down
// the columns of the image from the left. A pixel's place is x × height + y.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "batching/status.h"
#include "image/image_size.h"
#include "image/stop_check.h"

namespace millrace {

struct Mask {
  size_t width = 0;
  size_t height = 0;
  std::vector<uint32_t> counts;
  size_t area = 0;
  std::array<uint32_t, 4> box{};  // left, top, width and height; all 0 if the area is 0
};

// Counts that somebody else holds.
struct MaskView {
  size_t width = 0;
  size_t height = 0;
  std::span<const uint32_t> counts;
};

// The most numbers of the masks of a call, be it counts or coordinates. A response has the same limit (MAX_NUMBERS in
// runtime/tasks/image/mask-content.ts), so that beyond it no numbers are made that would be thrown away.
inline constexpr size_t kMaxMaskNumbers = 4'000'000;

// The counts that the masks of a call may have together.
class CountBudget {
 public:
  // Throws StatusError with kUnimplemented if there are not as many left, which the outputs and the size of the image decide.
  void Take(size_t counts) {
    if (counts > left_) throw StatusError(TooMany());
    left_ -= counts;
  }

 private:
  static Status TooMany();

  size_t left_ = kMaxMaskNumbers;
};

// Makes a mask from runs of pixels in rising order of their places.
class RunWriter {
 public:
  RunWriter(size_t width, size_t height, CountBudget& budget) noexcept : budget_(budget) {
    mask_.width = width;
    mask_.height = height;
  }

  // Adds `length` pixels from `place` on, which is not before the end of the last run. Throws std::bad_alloc, and as
  // CountBudget.
  void Add(size_t place, size_t length) {
    if (length == 0) return;
    mask_.area += length;
    if (place == end_ && !mask_.counts.empty()) {
      mask_.counts.back() += static_cast<uint32_t>(length);
    } else {
      budget_.Take(2);
      mask_.counts.push_back(static_cast<uint32_t>(place - end_));
      mask_.counts.push_back(static_cast<uint32_t>(length));
    }
    end_ = place + length;
  }

  size_t area() const noexcept { return mask_.area; }

  // Returns the mask, after which the writer must not be used.
  Mask Finish();

 private:
  CountBudget& budget_;
  Mask mask_;
  size_t end_ = 0;
};

// Calls run(first, last) for each run of ones, where `last` is exclusive.
template <typename Run>
void ForEachRun(std::span<const uint32_t> counts, Run&& run) {
  size_t place = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (i % 2 == 1 && counts[i] != 0) run(place, place + counts[i]);
    place += counts[i];
  }
}

// Returns kInvalidArgument unless the sides are those of an image and the counts have as many pixels as it.
Status CheckMask(const MaskView& mask);

// Returns the smallest box that holds the ones, as pycocotools.mask.toBbox.
std::array<uint32_t, 4> BoxOfRuns(const MaskView& mask) noexcept;

// Writes [height, width] bytes of 0 and 255. The counts must be those of CheckMask.
void WriteBitmap(const MaskView& mask, uint8_t* bytes);

}  // namespace millrace
