// The boxes that the outputs of detectors describe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "batching/status.h"
#include "image/head_tensor.h"
#include "image/nms.h"
#include "image/stop_check.h"

namespace millrace {

// The numbers of `kind` in native/detections.ts.
enum class BoxKind : uint8_t { kYolo, kYoloNms, kDetr, kListed, kCount };

// `BoxHead` of native/image-types.ts, which describes the layouts.
struct BoxHead {
  BoxKind kind = BoxKind::kYolo;
  bool objectness = false;
  size_t classes = 0;
  size_t extra = 0;
  bool softmax = false;
};

// `BoxOptions` of native/image-types.ts.
struct BoxOptions {
  float threshold = 0.25f;
  double iou = 0.45;
  size_t most = 300;
  std::optional<std::vector<int32_t>> labels;  // those that are wanted
  bool agnostic = false;
  bool soft = false;
  StopRule stop;
};

// The most boxes that are compared with each other; of more, the best. Ultralytics has the same limit. It bounds the time for
// outputs in which nearly every box is above the threshold.
inline constexpr size_t kMaxCandidates = 30'000;

// How many tensors describe boxes of this kind.
constexpr size_t TensorsOf(BoxKind kind) noexcept {
  return kind == BoxKind::kListed ? 3 : kind == BoxKind::kDetr ? 2 : 1;
}

// Returns kInvalidArgument for options that make no sense.
Status CheckBoxOptions(const BoxOptions& options);

// Appends all boxes whose score is above the threshold, in the order of the output, with corners in pixels of the canvas. Leaves
// out those with a number that is not finite. Returns kInvalidArgument if the tensors do not fit the head.
Status ReadBoxes(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry, float threshold,
                 std::vector<Box>& boxes);

// Finds the boxes that are wanted and stay, by falling score; those with equal scores are in the order of the output, so that
// equal arguments have equal results. Corners are in pixels of the canvas and not clipped, but each box has a part in the image: those
// that have none suppress others, as in the references, and then take no place among the most that are wanted. Returns kCancelled or
// kDeadlineExceeded if it has to stop.
Status FindBoxes(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry,
                 const BoxOptions& options, std::vector<Box>& boxes);

}  // namespace millrace
