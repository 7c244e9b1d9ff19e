#include "image/segments.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace millrace {
namespace {

size_t TensorsOf(const SegmentHead& head) noexcept {
  switch (head.kind) {
    case SegmentKind::kYoloSeg:
      return TensorsOf(head.boxes.kind) + 1;
    case SegmentKind::kMaskRcnn:
      return 4;
    case SegmentKind::kMaskformer:
      return 2;
    default:
      return 1;
  }
}

Status Check(const SegmentCall& call) {
  MILLRACE_RETURN_IF_ERROR(CheckGeometry(call.geometry));
  MILLRACE_RETURN_IF_ERROR(CheckBoxOptions(call.options.boxes));
  if (!(call.options.mask_threshold >= 0 && call.options.mask_threshold <= 1)) {
    return {Code::kInvalidArgument, "maskThreshold has to be a number from 0 to 1"};
  }
  if (call.tensors.size() == TensorsOf(call.head)) return {};
  return {Code::kInvalidArgument, "The head needs " + std::to_string(TensorsOf(call.head)) + " outputs, but got " +
                                      std::to_string(call.tensors.size())};
}

Status Find(const SegmentCall& call, std::vector<Segment>& segments) {
  switch (call.head.kind) {
    case SegmentKind::kSemantic:
      return FindSemantic(call, segments);
    case SegmentKind::kYoloSeg:
      return FindYoloSegments(call, segments);
    case SegmentKind::kMaskRcnn:
      return FindMaskRcnn(call, segments);
    case SegmentKind::kMaskformer:
      return FindMaskformer(call, segments);
    case SegmentKind::kCount:
      break;
  }
  return {Code::kInvalidArgument, "The kind of head is not known"};
}

}  // namespace

float LogitOf(float probability) noexcept {
  const double value = probability;
  return static_cast<float>(std::log(value / (1 - value)));
}

Status FindSegments(const SegmentCall& call, std::vector<Segment>& segments) {
  MILLRACE_RETURN_IF_ERROR(Check(call));
  MILLRACE_RETURN_IF_ERROR(CatchStatus([&] { return Find(call, segments); }));
  if (const auto& labels = call.options.boxes.labels) {
    std::erase_if(segments, [&](const Segment& segment) { return std::ranges::find(*labels, segment.label) == labels->end(); });
  }
  if (call.head.kind != SegmentKind::kSemantic) {
    std::ranges::stable_sort(segments, std::ranges::greater{}, &Segment::score);
    if (segments.size() > call.options.boxes.most) segments.resize(call.options.boxes.most);
  }
  return {};
}

}  // namespace millrace
