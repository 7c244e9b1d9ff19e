#include "addon/detection_arguments.h"

#include <array>
#include <cstring>
#include <limits>

#include "addon/whole_numbers.h"

namespace millrace {
namespace {

constexpr size_t kCancelledFlag = 4;
constexpr size_t kFirstTensor = 5;

// Copies the doubles of argument `i`, which has to be a typed array of `count` of them.
template <size_t count>
Status ReadWords(const Arguments& arguments, size_t i, const char* name, std::array<double, count>& words) {
  const auto bytes = arguments.Bytes(i);
  if (bytes.size() != sizeof words) {
    return {Code::kInvalidArgument, std::string("The ") + name + " is not an array of " + std::to_string(count) + " numbers"};
  }
  std::memcpy(words.data(), bytes.data(), sizeof words);
  return {};
}

Status ReadHead(const Arguments& arguments, SegmentHead& head) {
  std::array<double, kHeadWords> words{};
  MILLRACE_RETURN_IF_ERROR(ReadWords(arguments, 0, "head", words));
  size_t kind = 0;
  size_t segment_kind = 0;
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  if (!ToSize(words[kHeadKind], static_cast<size_t>(BoxKind::kCount) - 1, kind) ||
      !ToSize(words[kHeadSegmentKind], static_cast<size_t>(SegmentKind::kCount) - 1, segment_kind) ||
      !ToSize(words[kHeadClasses], kMost, head.boxes.classes) || !ToSize(words[kHeadExtra], kMost, head.boxes.extra)) {
    return {Code::kInvalidArgument, "The head is not valid: its classes and extra columns have to be whole numbers"};
  }
  head.kind = static_cast<SegmentKind>(segment_kind);
  head.in_boxes = words[kHeadInBoxes] == 1;
  head.boxes.kind = static_cast<BoxKind>(kind);
  head.boxes.objectness = words[kHeadObjectness] == 1;
  head.boxes.softmax = words[kHeadSoftmax] == 1;
  return {};
}

Status ReadGeometry(const Arguments& arguments, CanvasGeometry& geometry) {
  std::array<double, kGeometryWords> words{};
  MILLRACE_RETURN_IF_ERROR(ReadWords(arguments, 1, "geometry", words));
  geometry.left = words[kGeometryLeft];
  geometry.top = words[kGeometryTop];
  geometry.scale_x = words[kGeometryScaleX];
  geometry.scale_y = words[kGeometryScaleY];
  const bool sizes = ToSize(words[kGeometryCanvasWidth], kMaxImageSide, geometry.canvas_width) &&
                     ToSize(words[kGeometryCanvasHeight], kMaxImageSide, geometry.canvas_height) &&
                     ToSize(words[kGeometryWidth], kMaxImageSide, geometry.width) &&
                     ToSize(words[kGeometryHeight], kMaxImageSide, geometry.height);
  if (!sizes) {
    return {Code::kInvalidArgument, "The sides of the image and the canvas have to be whole numbers from 1 to 65535"};
  }
  return CheckGeometry(geometry);
}

Status ReadOptions(const Arguments& arguments, SegmentOptions& all) {
  std::array<double, kOptionWords> words{};
  MILLRACE_RETURN_IF_ERROR(ReadWords(arguments, 2, "options", words));
  BoxOptions& options = all.boxes;
  options.threshold = static_cast<float>(words[kOptionThreshold]);
  options.iou = words[kOptionIou];
  options.agnostic = words[kOptionAgnostic] == 1;
  options.soft = words[kOptionSoft] == 1;
  all.mask_threshold = static_cast<float>(words[kOptionMaskThreshold]);
  options.stop.deadline = DeadlineAfter(words[kOptionTimeout]);
  // CheckBoxOptions refuses 0, which stands for anything but a whole number.
  if (!ToSize(words[kOptionMost], kMaxCandidates, options.most)) options.most = 0;
  return CheckBoxOptions(options);
}

void ReadLabels(const Arguments& arguments, BoxOptions& options) {
  const auto bytes = arguments.Bytes(3);
  // An empty array has no memory, and wants no class; null wants all.
  if (arguments.IsTyped(3)) {
    options.labels.emplace(bytes.size() / sizeof(int32_t));
    if (!bytes.empty()) std::memcpy(options.labels->data(), bytes.data(), options.labels->size() * sizeof(int32_t));
  }
}

// JavaScript sets the element of an Int32Array to cancel; null means that it does not.
Status ReadCancelled(const Arguments& arguments, StopRule& stop) {
  if (!arguments.IsTyped(kCancelledFlag)) return {};
  const auto bytes = arguments.Bytes(kCancelledFlag);
  if (bytes.size() != sizeof(int32_t) || reinterpret_cast<uintptr_t>(bytes.data()) % alignof(int32_t) != 0) {
    return {Code::kInvalidArgument, "The flag for cancelling is not an Int32Array of one element"};
  }
  stop.cancelled = reinterpret_cast<int32_t*>(bytes.data());
  return {};
}

Status ReadTensor(const Arguments& arguments, size_t i, HeadTensor& tensor) {
  const auto bytes = arguments.Bytes(i);
  const auto dims = arguments.Bytes(i + 1);
  constexpr size_t kMostDims = 8;
  const size_t rank = dims.size() / sizeof(double);
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) == 0;
  bool valid = aligned && bytes.size() % sizeof(float) == 0 && rank <= kMostDims;
  for (size_t axis = 0; valid && axis < rank; ++axis) {
    double number = 0;
    std::memcpy(&number, dims.data() + axis * sizeof number, sizeof number);
    valid = ToSize(number, kMaxSafeInteger, tensor.dims.emplace_back());
  }
  if (!valid) {
    return {Code::kInvalidArgument, "An output is not valid: expected float32 data and at most 8 dimensions, none negative"};
  }
  tensor.data = {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
  return {};
}

}  // namespace

Status DetectionArguments::Read(const Arguments& arguments) {
  MILLRACE_RETURN_IF_ERROR(ReadHead(arguments, head));
  MILLRACE_RETURN_IF_ERROR(ReadGeometry(arguments, geometry));
  MILLRACE_RETURN_IF_ERROR(ReadOptions(arguments, options));
  ReadLabels(arguments, options.boxes);
  MILLRACE_RETURN_IF_ERROR(ReadCancelled(arguments, options.boxes.stop));
  for (size_t i = kFirstTensor; i + 1 < arguments.count(); i += 2) {
    MILLRACE_RETURN_IF_ERROR(ReadTensor(arguments, i, tensors.emplace_back()));
  }
  return {};
}

}  // namespace millrace
