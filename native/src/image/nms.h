// Non-maximum suppression: of boxes that overlap, the best ones stay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/head_tensor.h"
#include "image/stop_check.h"

namespace millrace {

// A box with the class and the row of the output that it comes from.
struct Box {
  Corners corners{};
  float score = 0;
  int32_t label = 0;
  int32_t source = 0;
  // Whether a part of it lies in the image. One of which none does suppresses others, but is not among the results.
  bool shown = true;
};

struct Suppression {
  // The intersection over the union above which the worse of two boxes is suppressed.
  double iou = 0.45;
  // Whether boxes of different classes suppress each other.
  bool agnostic = false;
  // The most boxes that stay.
  size_t most = 300;
};

// Sorts by falling score. Boxes with the same score keep their order.
void SortByScore(std::vector<Box>& boxes);

// Returns the boxes that stay, by falling score, exactly as torchvision.ops.batched_nms does (or nms, if agnostic): of two boxes
// with the same score the earlier one is the better. Scores must be numbers and corners finite. The time grows with the number of
// boxes × the number of those that stay. Throws StatusError.
std::vector<Box> SuppressHard(std::vector<Box> boxes, const Suppression& suppression, StopCheck& stop);

// Soft-NMS (Bodla et al., Soft-NMS: Improving Object Detection With One Line of Code, ICCV 2017) with a Gaussian of sigma 0.5:
// whenever a box is taken, the scores of those that overlap it are multiplied by e^(-iou² / sigma), and boxes whose score is then
// not above the threshold are left out. `suppression.iou` is not used. Returns the boxes by falling (lowered) score.
// Throws StatusError.
std::vector<Box> SuppressSoft(std::vector<Box> boxes, const Suppression& suppression, float threshold,
                              StopCheck& stop);

}  // namespace millrace
