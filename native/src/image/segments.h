// The segments that the outputs of segmenters describe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "batching/status.h"
#include "image/boxes.h"
#include "image/head_tensor.h"
#include "image/run_lengths.h"

namespace millrace {

// The numbers of `kind` in native/detections.ts.
enum class SegmentKind : uint8_t { kSemantic, kYoloSeg, kMaskRcnn, kMaskformer, kCount };

// `SegmentHead` of native/image-types.ts, which describes the layouts.
struct SegmentHead {
  SegmentKind kind = SegmentKind::kSemantic;
  BoxHead boxes;  // of kYoloSeg and kMaskRcnn
  bool in_boxes = false;
};

// `SegmentOptions` of native/image-types.ts.
struct SegmentOptions {
  BoxOptions boxes;
  float mask_threshold = 0.5f;
};

struct Segment {
  int32_t label = 0;
  float score = 0;
  Mask mask;
};

// What finding segments needs. The outputs have been checked to be as many as the head has.
struct SegmentCall {
  const SegmentHead& head;
  std::span<const HeadTensor> tensors;
  const CanvasGeometry& geometry;
  const SegmentOptions& options;
};

// Appends the segments, by falling score; those of semantic heads by class. Segments without a pixel are left out, and so are those
// of classes that are not wanted. Returns kInvalidArgument for outputs that do not fit the head or options that make no sense.
// Returns it, too, if the masks need more counts than CountBudget has. Returns kCancelled or kDeadlineExceeded if it has to stop.
Status FindSegments(const SegmentCall& call, std::vector<Segment>& segments);

// The functions below throw StatusError.

// Each pixel belongs to the class of its highest logit, as in post_process_semantic_segmentation of transformers; the threshold for
// scores is not used. One class alone has the pixels whose sigmoid is at least the threshold of masks.
Status FindSemantic(const SegmentCall& call, std::vector<Segment>& segments);

// The sums of prototypes weighed by a box's coefficients, interpolated, where their sigmoid is at least the threshold of masks, in the
// box: what Ultralytics documents for process_mask_native.
Status FindYoloSegments(const SegmentCall& call, std::vector<Segment>& segments);

// The probabilities of torchvision's Mask R-CNN, interpolated, where they are at least the threshold of masks. Those of boxes are
// laid into the image as by torchvision's paste_masks_in_image.
Status FindMaskRcnn(const SegmentCall& call, std::vector<Segment>& segments);

// Panoptic segments of post_process_panoptic_segmentation of transformers, with overlap_mask_area_threshold 0.8 and no labels fused.
Status FindMaskformer(const SegmentCall& call, std::vector<Segment>& segments);

// Returns the value whose sigmoid is `probability`; infinite for 0 and 1.
float LogitOf(float probability) noexcept;

}  // namespace millrace
