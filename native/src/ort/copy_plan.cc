#include "ort/copy_plan.h"

namespace millrace {

std::vector<CopyStep> PlanCopies(std::span<const Part> parts, size_t input, size_t capacity,
                                 const std::function<bool(const TensorView&)>& pinned) {
  using Kind = CopyStep::Kind;
  std::vector<CopyStep> steps;
  size_t at = 0;
  size_t gathered_from = 0;
  const auto upload_gathered = [&] {
    if (at > gathered_from) steps.push_back({Kind::kUpload, gathered_from, at - gathered_from});
  };
  for (const Part& part : parts) {
    const TensorView& view = part[input];
    if (view.bytes == 0) continue;
    if (view.bytes >= kDirectBytes && pinned(view)) {
      upload_gathered();
      steps.push_back({Kind::kUpload, at, view.bytes, view.data});
      at += view.bytes;
      gathered_from = at;
    } else {
      steps.push_back({Kind::kGather, at, view.bytes, view.data});
      at += view.bytes;
    }
  }
  upload_gathered();
  if (at < capacity) steps.push_back({Kind::kClear, at, capacity - at});
  return steps;
}

}  // namespace millrace
