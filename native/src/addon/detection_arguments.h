// How the functions on detections read their arguments.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "addon/codec_call.h"
#include "batching/status.h"
#include "image/head_tensor.h"
#include "image/segments.h"

namespace millrace {

// The places of the numbers in the arrays that native/detections.ts makes, in the same order as there. What is a yes or a no is 1
// or 0.
enum HeadWord {
  kHeadKind,
  kHeadObjectness,
  kHeadClasses,
  kHeadExtra,
  kHeadSoftmax,
  kHeadSegmentKind,
  kHeadInBoxes,
  kHeadWords
};
enum GeometryWord {
  kGeometryLeft,
  kGeometryTop,
  kGeometryScaleX,
  kGeometryScaleY,
  kGeometryCanvasWidth,
  kGeometryCanvasHeight,
  kGeometryWidth,
  kGeometryHeight,
  kGeometryWords
};
enum OptionWord {
  kOptionThreshold,
  kOptionIou,
  kOptionMost,
  kOptionAgnostic,
  kOptionSoft,
  kOptionMaskThreshold,
  kOptionTimeout,  // nanoseconds; a negative number means that there is none
  kOptionWords
};

// Everything that finding boxes or segments needs.
struct DetectionArguments {
  // Reads (head, geometry, options, classes, cancelled, ...tensors). Returns kInvalidArgument with a sentence for what is not valid.
  Status Read(const Arguments& arguments);

  SegmentHead head;  // for boxes, only `head.boxes`
  CanvasGeometry geometry;
  SegmentOptions options;  // for boxes, only `options.boxes`
  std::vector<HeadTensor> tensors;
};

}  // namespace millrace
