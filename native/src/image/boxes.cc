#include "image/boxes.h"

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

void KeepWanted(const std::optional<std::vector<int32_t>>& labels, std::vector<Box>& boxes) {
  if (!labels) return;
  std::vector<int32_t> sorted = *labels;
  std::ranges::sort(sorted);
  std::erase_if(boxes, [&](const Box& box) { return !std::ranges::binary_search(sorted, box.label); });
}

void KeepBest(size_t most, std::vector<Box>& boxes) {
  SortByScore(boxes);
  if (boxes.size() > most) boxes.resize(most);
}

bool HasPart(const Box& box, const CanvasGeometry& geometry) noexcept {
  const Corners corners = ClipToImage(ToImage(box.corners, geometry), geometry);
  return corners[2] > corners[0] && corners[3] > corners[1];
}

Status Find(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry, const BoxOptions& options,
            std::vector<Box>& boxes) {
  MILLRACE_RETURN_IF_ERROR(CheckGeometry(geometry));
  MILLRACE_RETURN_IF_ERROR(CheckBoxOptions(options));
  StopCheck stop(options.stop);
  MILLRACE_RETURN_IF_ERROR(ReadBoxes(head, tensors, geometry, options.threshold, boxes));
  KeepWanted(options.labels, boxes);
  for (Box& box : boxes) box.shown = HasPart(box, geometry);
  if (head.kind == BoxKind::kYolo) {
    KeepBest(kMaxCandidates, boxes);
    const Suppression suppression = {options.iou, options.agnostic, options.most};
    boxes = options.soft ? SuppressSoft(std::move(boxes), suppression, options.threshold, stop)
                         : SuppressHard(std::move(boxes), suppression, stop);
  } else {
    std::erase_if(boxes, [](const Box& box) { return !box.shown; });
    KeepBest(options.most, boxes);
  }
  return {};
}

}  // namespace

Status CheckBoxOptions(const BoxOptions& options) {
  const auto is_part = [](double number) { return number >= 0 && number <= 1; };
  if (!is_part(options.threshold) || !is_part(options.iou)) {
    return {Code::kInvalidArgument, "threshold and iou have to be numbers from 0 to 1"};
  }
  if (options.most < 1 || options.most > kMaxCandidates) {
    return {Code::kInvalidArgument, "maxDetections has to be a whole number from 1 to 30000"};
  }
  return {};
}

Status FindBoxes(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry,
                 const BoxOptions& options, std::vector<Box>& boxes) {
  return CatchStatus([&] { return Find(head, tensors, geometry, options, boxes); });
}

}  // namespace millrace
