#include "image/polygons.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace millrace {
namespace {

// Whoever goes along an outline has the mask's pixels at the right. Each direction is that before it, turned to the right.
enum Direction : uint8_t { kUp, kRight, kDown, kLeft };

constexpr Direction Turned(Direction direction, int quarters) noexcept {
  return static_cast<Direction>((direction + quarters + 4) % 4);
}

// A place on an outline, between pixels.
struct Step {
  int32_t x = 0;
  int32_t y = 0;
  Direction direction = kUp;
  friend bool operator==(const Step&, const Step&) = default;
};

// The pixels of a mask's box with an empty ring around them, column by column, and marks on the edges between neighbours of a row.
class Pixels {
 public:
  static constexpr uint8_t kSeen = 1;
  static constexpr uint8_t kSeam = 2;  // a seam begins at the upper end of the edge

  explicit Pixels(const MaskView& mask) {
    const auto box = BoxOfRuns(mask);
    left_ = static_cast<int32_t>(box[0]);
    top_ = static_cast<int32_t>(box[1]);
    width_ = static_cast<int32_t>(box[2]);
    height_ = static_cast<int32_t>(box[3]);
    const auto size = static_cast<size_t>(width_ + 2) * static_cast<size_t>(height_ + 2);
    values_.resize(size);
    marks_.resize(size);
    ForEachRun(mask.counts, [&](size_t first, size_t last) { Fill(first, last, mask.height); });
  }

  int32_t left() const noexcept { return left_; }
  int32_t top() const noexcept { return top_; }
  int32_t width() const noexcept { return width_; }
  int32_t height() const noexcept { return height_; }

  // Coordinates go from -1 to the width or the height.
  bool Has(int32_t x, int32_t y) const noexcept { return values_[Index(x, y)] != 0; }
  // The mark of the edge at the left of a pixel.
  uint8_t& Mark(int32_t x, int32_t y) noexcept { return marks_[Index(x, y)]; }

 private:
  size_t Index(int32_t x, int32_t y) const noexcept {
    return static_cast<size_t>(x + 1) * static_cast<size_t>(height_ + 2) + static_cast<size_t>(y + 1);
  }

  void Fill(size_t first, size_t last, size_t rows) noexcept {
    while (first < last) {
      const size_t column = first / rows;
      const size_t end = std::min(last, (column + 1) * rows);
      const auto x = static_cast<int32_t>(column) - left_;
      const auto y = static_cast<int32_t>(first % rows) - top_;
      std::memset(values_.data() + Index(x, y), 1, end - first);
      first = end;
    }
  }

  int32_t left_ = 0;
  int32_t top_ = 0;
  int32_t width_ = 0;
  int32_t height_ = 0;
  std::vector<uint8_t> values_;
  std::vector<uint8_t> marks_;
};

// Goes one edge forward.
void Advance(Step& step) noexcept {
  constexpr std::array<int32_t, 4> kX = {0, 1, 0, -1};
  constexpr std::array<int32_t, 4> kY = {-1, 0, 1, 0};
  step.x += kX[step.direction];
  step.y += kY[step.direction];
}

// Turns to where the outline goes on. Where two pixels touch at a corner only, it stays with the one at the right.
void Turn(const Pixels& pixels, Step& step) noexcept {
  // The pixels ahead, at the right and at the left, seen from a corner of pixels.
  constexpr std::array<int32_t, 4> kX = {0, 0, -1, -1};
  constexpr std::array<int32_t, 4> kY = {-1, 0, 0, -1};
  const auto has = [&](Direction side) { return pixels.Has(step.x + kX[side], step.y + kY[side]); };
  if (!has(step.direction)) {
    step.direction = Turned(step.direction, 1);
  } else if (has(Turned(step.direction, -1))) {
    step.direction = Turned(step.direction, -1);
  }
}

class Tracer {
 public:
  Tracer(Pixels& pixels, Polygons& polygons) noexcept : pixels_(pixels), polygons_(polygons) {}

  Status Run() {
    FindOutlines();
    for (const Step& start : outlines_) {
      if (!Write(start)) {
        return {Code::kInvalidArgument, "The outlines of the mask have more than " + std::to_string(kMaxMaskNumbers) +
                                            " coordinates: ask for a higher threshold, or send a smaller image"};
      }
    }
    return {};
  }

 private:
  // Finds where outlines begin, and marks where seams lead to holes. The columns are looked at from the left, so that an edge which no
  // outline has yet is the leftmost one of its outline: pixels at its right are a part, and none are a hole.
  void FindOutlines() {
    for (int32_t x = 0; x <= pixels_.width(); ++x) {
      for (int32_t y = 0; y < pixels_.height(); ++y) {
        const bool inside = pixels_.Has(x, y);
        if (inside == pixels_.Has(x - 1, y) || (pixels_.Mark(x, y) & Pixels::kSeen) != 0) continue;
        if (inside) outlines_.push_back({x, y, kRight});
        if (!inside) MarkSeam(x, y);
        See(inside ? Step{x, y, kRight} : Step{x, y, kDown});
      }
    }
  }

  // Marks the edges of an outline.
  void See(const Step& start) {
    Step step = start;
    do {
      if (step.direction == kDown) pixels_.Mark(step.x, step.y) |= Pixels::kSeen;
      Advance(step);
      if (step.direction == kUp) pixels_.Mark(step.x, step.y) |= Pixels::kSeen;
      Turn(pixels_, step);
    } while (step != start);
  }

  // A seam goes along the upper edge of the row of pixels between the hole and what is at the left of it.
  void MarkSeam(int32_t x, int32_t y) {
    while (pixels_.Has(x - 1, y)) --x;
    pixels_.Mark(x, y) |= Pixels::kSeam;
  }

  Step HoleAt(const Step& seam) const noexcept {
    int32_t x = seam.x;
    while (pixels_.Has(x, seam.y)) ++x;
    return {x, seam.y, kDown};
  }

  // Returns false if there are too many coordinates.
  bool Write(const Step& start) {
    first_ = polygons_.coordinates.size();
    Corner(start);
    walks_.assign(1, {start, start});
    while (!walks_.empty()) {
      if (polygons_.coordinates.size() > kMaxMaskNumbers) return false;
      Step& step = walks_.back().step;
      Advance(step);
      if (step.direction == kUp && (pixels_.Mark(step.x, step.y) & Pixels::kSeam) != 0) {
        Corner(step);
        const Step hole = HoleAt(step);
        Corner(hole);
        walks_.push_back({hole, hole});
      } else {
        TurnOrReturn();
      }
    }
    polygons_.ends.push_back(static_cast<uint32_t>(polygons_.coordinates.size()));
    return true;
  }

  // Turns, and goes back along the seam if the outline of a hole ends here.
  void TurnOrReturn() {
    while (true) {
      Walk& walk = walks_.back();
      const Direction before = walk.step.direction;
      Turn(pixels_, walk.step);
      const bool ends = walk.step == walk.start;
      const bool whole = ends && walks_.size() == 1;
      if (walk.step.direction != before && !whole) Corner(walk.step);
      if (!ends) return;
      walks_.pop_back();
      if (walks_.empty()) return;
      Corner(walks_.back().step);
    }
  }

  void Corner(const Step& step) {
    const int32_t x = step.x + pixels_.left();
    const int32_t y = step.y + pixels_.top();
    auto& coordinates = polygons_.coordinates;
    const size_t size = coordinates.size();
    if (size > first_ && coordinates[size - 2] == x && coordinates[size - 1] == y) return;
    coordinates.push_back(x);
    coordinates.push_back(y);
  }

  struct Walk {
    Step step;
    Step start;
  };

  Pixels& pixels_;
  Polygons& polygons_;
  std::vector<Step> outlines_;
  std::vector<Walk> walks_;  // the outline and, while a hole is cut out, those of holes from which seams go on
  size_t first_ = 0;
};

}  // namespace

Status TracePolygons(const MaskView& mask, Polygons& polygons) {
  Pixels pixels(mask);
  if (pixels.width() == 0) return {};
  return Tracer(pixels, polygons).Run();
}

}  // namespace millrace
