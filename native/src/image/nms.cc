#include "image/nms.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace millrace {
namespace {

constexpr float kSigma = 0.5f;

// torchvision computes the same in the same order, in single precision, which decides ties.
float Area(const Corners& box) noexcept { return (box[2] - box[0]) * (box[3] - box[1]); }

float Overlap(const Corners& a, float area_a, const Corners& b, float area_b) noexcept {
  const float width = std::max(0.0f, std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const float height = std::max(0.0f, std::min(a[3], b[3]) - std::max(a[1], b[1]));
  const float common = width * height;
  return common / (area_a + area_b - common);
}

// Returns the number such that a float is above it exactly if it is above `number`.
float RoundDown(double number) noexcept {
  const auto rounded = static_cast<float>(number);
  return static_cast<double>(rounded) > number ? std::nextafter(rounded, -INFINITY) : rounded;
}

// The boxes that stay, as arrays of coordinates, so that compilers compare several at a time.
class KeptBoxes {
 public:
  void Add(const Corners& box) {
    for (size_t i = 0; i < sides_.size(); ++i) sides_[i].push_back(box[i]);
    areas_.push_back(Area(box));
  }

  size_t size() const noexcept { return areas_.size(); }

  bool Suppress(const Corners& box, float iou) const noexcept {
    constexpr size_t kBlock = 64;
    for (size_t first = 0; first < areas_.size(); first += kBlock) {
      if (AnyOver(box, iou, first, std::min(areas_.size(), first + kBlock))) return true;
    }
    return false;
  }

 private:
  bool AnyOver(const Corners& box, float iou, size_t first, size_t last) const noexcept {
    const float area = Area(box);
    int any = 0;
    for (size_t i = first; i < last; ++i) {
      const Corners kept = {sides_[0][i], sides_[1][i], sides_[2][i], sides_[3][i]};
      any |= Overlap(kept, areas_[i], box, area) > iou;
    }
    return any != 0;
  }

  std::array<std::vector<float>, 4> sides_;
  std::vector<float> areas_;
};

}  // namespace

void SortByScore(std::vector<Box>& boxes) {
  std::ranges::stable_sort(boxes, std::ranges::greater{}, &Box::score);
}

std::vector<Box> SuppressHard(std::vector<Box> boxes, const Suppression& suppression, StopCheck& stop) {
  SortByScore(boxes);
  const float iou = RoundDown(suppression.iou);
  std::unordered_map<int32_t, KeptBoxes> kept;
  std::vector<Box> result;
  for (const Box& box : boxes) {
    if (result.size() >= suppression.most) break;
    KeptBoxes& others = kept[suppression.agnostic ? 0 : box.label];
    stop.Spend(others.size() + 1);
    if (others.Suppress(box.corners, iou)) continue;
    others.Add(box.corners);
    if (box.shown) result.push_back(box);
  }
  return result;
}

std::vector<Box> SuppressSoft(std::vector<Box> boxes, const Suppression& suppression, float threshold,
                              StopCheck& stop) {
  std::vector<Box> result;
  while (!boxes.empty() && result.size() < suppression.most) {
    const auto best = std::ranges::max_element(boxes, {}, &Box::score);  // the first of several
    const Box taken = *best;
    const float area = Area(taken.corners);
    if (taken.shown) result.push_back(taken);
    stop.Spend(2 * boxes.size());
    boxes.erase(best);
    for (Box& box : boxes) {
      if (!suppression.agnostic && box.label != taken.label) continue;
      const float overlap = Overlap(taken.corners, area, box.corners, Area(box.corners));
      if (overlap > 0) box.score *= std::exp(-overlap * overlap / kSigma);
    }
    std::erase_if(boxes, [&](const Box& box) { return !(box.score > threshold); });
  }
  return result;
}

}  // namespace millrace
