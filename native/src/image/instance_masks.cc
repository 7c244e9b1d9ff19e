// Segments of heads that have a mask for each box.
#include <algorithm>
#include <cmath>

#include "image/grid_axis.h"
#include "image/segments.h"

namespace millrace {
namespace {

// A rectangle of a grid's values.
struct Window {
  size_t left = 0;
  size_t top = 0;
  size_t right = 0;  // exclusive
  size_t bottom = 0;

  bool empty() const noexcept { return right <= left || bottom <= top; }
};

// Returns the cells between which the pixels of the axes lie.
Window CellsOf(const GridAxis& columns, const GridAxis& rows) noexcept {
  if (columns.samples.empty() || rows.samples.empty()) return {};
  const auto end = [](const GridAxis& axis) { return std::min<size_t>(axis.samples.back().cell + size_t{2}, axis.size); };
  return {columns.samples.front().cell, rows.samples.front().cell, end(columns), end(rows)};
}

// Adds the mask of a window of a grid as a segment, unless it has no pixel.
class MaskSink {
 public:
  MaskSink(const CanvasGeometry& geometry, StopCheck& stop, std::vector<Segment>& segments) noexcept
      : geometry_(geometry), stop_(stop), segments_(segments) {}

  // `columns` and `rows` place the image on the whole grid.
  void Add(const Box& box, const GridColumns& grid, const Window& window, GridAxis columns, GridAxis rows, float threshold) {
    KeepCells(window.left, window.right, columns);
    KeepCells(window.top, window.bottom, rows);
    RunWriter writer(geometry_.width, geometry_.height, budget_);
    WriteGridMask(grid, columns, rows, std::max(threshold, kNoValue), geometry_.height, stop_, writer);
    if (writer.area() != 0) segments_.push_back({box.label, box.score, writer.Finish()});
  }

 private:
  const CanvasGeometry& geometry_;
  StopCheck& stop_;
  std::vector<Segment>& segments_;
  CountBudget budget_;
};

// Prototypes [count, height, width] and the coefficients of each box.
class Prototypes {
 public:
  Prototypes(const HeadTensor& tensor) : tensor_(tensor) {}

  size_t count() const noexcept { return tensor_.dims[0]; }
  size_t height() const noexcept { return tensor_.dims[1]; }
  size_t width() const noexcept { return tensor_.dims[2]; }

  // Returns the weighed sum of the prototypes in a window.
  GridColumns Sum(std::span<const float> weights, const Window& window, StopCheck& stop) const {
    const size_t columns = window.right - window.left;
    GridColumns sum;
    sum.height = window.bottom - window.top;
    sum.values.resize(columns * sum.height);
    std::vector<float> row(columns);
    for (size_t y = 0; y < sum.height; ++y) {
      stop.Spend((weights.size() + 1) * columns);
      std::ranges::fill(row, 0.0f);
      for (size_t k = 0; k < weights.size(); ++k) {
        const float weight = weights[k];
        const float* const values = tensor_.data.data() + (k * height() + window.top + y) * width() + window.left;
        for (size_t x = 0; x < columns; ++x) row[x] += weight * values[x];
      }
      for (size_t x = 0; x < columns; ++x) sum.values[x * sum.height + y] = Finite(row[x]);
    }
    return sum;
  }

 private:
  const HeadTensor& tensor_;
};

// Returns the coefficients of a box, which follow its scores.
std::vector<float> CoefficientsOf(const BoxHead& head, const HeadTensor& boxes, size_t source) {
  const size_t first = head.kind == BoxKind::kYoloNms ? 6 : 4 + (head.objectness ? 1 : 0) + head.classes;
  const bool by_columns = head.kind == BoxKind::kYolo && !head.objectness;
  std::vector<float> weights(head.extra);
  for (size_t i = 0; i < head.extra; ++i) {
    weights[i] = boxes.data[by_columns ? (first + i) * boxes.dims[1] + source : source * boxes.dims[1] + first + i];
  }
  return weights;
}

// Returns whether the canvas is a letterbox: the image fills one side of it and lies in the middle of the other, but for less than the
// rounding of its size and its place to pixels.
bool IsLetterbox(const CanvasGeometry& geometry, double gain) noexcept {
  const auto fits = [gain](double place, double scale, size_t canvas, size_t pixels) {
    const auto length = static_cast<double>(pixels);
    return std::abs(scale - gain) * length <= 1 && std::abs(2 * place + gain * length - static_cast<double>(canvas)) <= 2;
  };
  return fits(geometry.left, geometry.scale_x, geometry.canvas_width, geometry.width) &&
         fits(geometry.top, geometry.scale_y, geometry.canvas_height, geometry.height);
}

// Places the pixels of a letterboxed image on prototypes as Ultralytics documents it: whole values are cut out of them, which are taken
// for the image, although its edge is up to half a value away.
GridAxis CutAxis(double gain, size_t canvas, size_t pixels, size_t size) {
  const auto count = static_cast<double>(size);
  const double padding = (count - gain * static_cast<double>(pixels) * count / static_cast<double>(canvas)) / 2;
  const double first = std::nearbyint(padding - 0.1);
  const double last = std::max(count - std::nearbyint(padding + 0.1), first + 1);
  return MakeAxis(0, pixels, {(last - first) / static_cast<double>(pixels), first, first, last - 1}, size);
}

struct Axes {
  GridAxis columns;
  GridAxis rows;
};

Axes PlaceOnPrototypes(const CanvasGeometry& geometry, size_t width, size_t height) {
  const double gain = std::min(static_cast<double>(geometry.canvas_width) / static_cast<double>(geometry.width),
                               static_cast<double>(geometry.canvas_height) / static_cast<double>(geometry.height));
  if (!IsLetterbox(geometry, gain)) return {ColumnsOf(geometry, width), RowsOf(geometry, height)};
  return {CutAxis(gain, geometry.canvas_width, geometry.width, width),
          CutAxis(gain, geometry.canvas_height, geometry.height, height)};
}

// Keeps the pixels of an axis whose left (or top) edge is in a box, which is how Ultralytics crops masks.
void Crop(float first, float last, size_t pixels, GridAxis& axis) {
  const auto edge = [&](float value) {
    return static_cast<size_t>(std::clamp(std::ceil(value), 0.0f, static_cast<float>(pixels)));
  };
  KeepPixels(edge(first), edge(last), axis);
}

// A plane [height, width] of probabilities.
struct Plane {
  std::span<const float> values;
  size_t height = 0;
  size_t width = 0;
};

// Returns the window outside of which no value, and so none that is interpolated, is at least `threshold`.
Window FindWindow(const Plane& plane, float threshold) {
  Window window = {plane.width, plane.height, 0, 0};
  for (size_t y = 0; y < plane.height; ++y) {
    const auto row = plane.values.subspan(y * plane.width, plane.width);
    const auto is_over = [&](float value) { return value >= threshold; };
    const auto first = std::ranges::find_if(row, is_over);
    if (first == row.end()) continue;
    const auto last = std::find_if(row.rbegin(), row.rend(), is_over).base();
    window.left = std::min(window.left, static_cast<size_t>(first - row.begin()));
    window.right = std::max(window.right, static_cast<size_t>(last - row.begin()));
    window.top = std::min(window.top, y);
    window.bottom = y + 1;
  }
  if (window.empty()) return {};
  // One more on each side, to interpolate with.
  window.left -= window.left > 0 ? 1 : 0;
  window.top -= window.top > 0 ? 1 : 0;
  window.right = std::min(window.right + 1, plane.width);
  window.bottom = std::min(window.bottom + 1, plane.height);
  return window;
}

GridColumns Transpose(const Plane& plane, const Window& window) {
  GridColumns grid;
  grid.height = window.bottom - window.top;
  grid.values.resize(grid.height * (window.right - window.left));
  for (size_t y = window.top; y < window.bottom; ++y) {
    for (size_t x = window.left; x < window.right; ++x) {
      grid.values[(x - window.left) * grid.height + y - window.top] = Finite(plane.values[y * plane.width + x]);
    }
  }
  return grid;
}

// Returns the values with a ring of zeros around them, as torchvision's expand_masks.
GridColumns TransposeWithRing(const Plane& plane) {
  GridColumns grid;
  grid.height = plane.height + 2;
  grid.values.resize(grid.height * (plane.width + 2));
  for (size_t y = 0; y < plane.height; ++y) {
    for (size_t x = 0; x < plane.width; ++x) {
      grid.values[(x + 1) * grid.height + y + 1] = Finite(plane.values[y * plane.width + x]);
    }
  }
  return grid;
}

// Returns how the pixels of a side of a box lie on a mask of `size` values and the ring around it: the side grows by the ring, and
// its ends become whole numbers, as in torchvision's expand_boxes and paste_mask_in_image.
GridAxis PasteAxis(float first, float last, size_t size, size_t pixels) {
  static constexpr float kFar = 1e9f;
  // An end may be infinite, after its division by a small scale.
  first = std::clamp(first, -kFar, kFar);
  last = std::clamp(last, -kFar, kFar);
  const float scale = static_cast<float>(static_cast<double>(size + 2) / static_cast<double>(size));
  const float half = (last - first) * 0.5f * scale;
  const float centre = (last + first) * 0.5f;
  const auto whole = [](float value) { return std::trunc(std::clamp(value, -kFar, kFar)); };
  const double begin = whole(centre - half);
  const double end = static_cast<double>(whole(centre + half)) + 1;
  const double cells = static_cast<double>(size + 2) / std::max(end - begin, 1.0);
  const auto pixel = [&](double value) { return static_cast<size_t>(std::clamp(value, 0.0, static_cast<double>(pixels))); };
  return MakeAxis(pixel(begin), pixel(end), {cells, -begin * cells, 0, static_cast<double>(size + 1)}, size + 2);
}

}  // namespace

Status FindYoloSegments(const SegmentCall& call, std::vector<Segment>& segments) {
  const BoxHead& head = call.head.boxes;
  if (head.kind != BoxKind::kYolo && head.kind != BoxKind::kYoloNms) {
    return {Code::kInvalidArgument, "Only the boxes of YOLO heads have coefficients of prototypes"};
  }
  const HeadTensor& tensor = call.tensors[1];
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensor, 3, "prototypes"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensor, 0, head.extra, "prototypes"));
  if (tensor.data.empty()) return {Code::kInvalidArgument, "The output of prototypes is empty"};
  std::vector<Box> boxes;
  MILLRACE_RETURN_IF_ERROR(FindBoxes(head, call.tensors.first(1), call.geometry, call.options.boxes, boxes));
  const Prototypes prototypes(tensor);
  StopCheck stop(call.options.boxes.stop);
  const auto [columns, rows] = PlaceOnPrototypes(call.geometry, prototypes.width(), prototypes.height());
  MaskSink sink(call.geometry, stop, segments);
  for (const Box& box : boxes) {
    const Corners corners = ClipToImage(ToImage(box.corners, call.geometry), call.geometry);
    GridAxis box_columns = columns;
    GridAxis box_rows = rows;
    Crop(corners[0], corners[2], call.geometry.width, box_columns);
    Crop(corners[1], corners[3], call.geometry.height, box_rows);
    const Window window = CellsOf(box_columns, box_rows);
    if (window.empty()) continue;
    const auto weights = CoefficientsOf(head, call.tensors[0], static_cast<size_t>(box.source));
    sink.Add(box, prototypes.Sum(weights, window, stop), window, std::move(box_columns), std::move(box_rows),
             LogitOf(call.options.mask_threshold));
  }
  return {};
}

Status FindMaskRcnn(const SegmentCall& call, std::vector<Segment>& segments) {
  BoxHead head;
  head.kind = BoxKind::kListed;
  const HeadTensor& masks = call.tensors[3];
  MILLRACE_RETURN_IF_ERROR(CheckTensor(masks, 4, "masks"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(masks, 1, 1, "masks"));
  std::vector<Box> boxes;
  MILLRACE_RETURN_IF_ERROR(FindBoxes(head, call.tensors.first(3), call.geometry, call.options.boxes, boxes));
  MILLRACE_RETURN_IF_ERROR(CheckDim(masks, 0, call.tensors[0].dims[0], "masks"));
  if (boxes.empty()) return {};
  const size_t height = masks.dims[2];
  const size_t width = masks.dims[3];
  if (masks.data.empty()) return {Code::kInvalidArgument, "The output of masks is empty"};
  const GridAxis columns = ColumnsOf(call.geometry, width);
  const GridAxis rows = RowsOf(call.geometry, height);
  const float threshold = call.options.mask_threshold;
  StopCheck stop(call.options.boxes.stop);
  MaskSink sink(call.geometry, stop, segments);
  for (const Box& box : boxes) {
    stop.Spend(2 * height * width);
    const Plane plane = {masks.data.subspan(static_cast<size_t>(box.source) * height * width, height * width), height, width};
    if (call.head.in_boxes) {
      const Corners corners = ToImage(box.corners, call.geometry);
      sink.Add(box, TransposeWithRing(plane), {0, 0, width + 2, height + 2},
               PasteAxis(corners[0], corners[2], width, call.geometry.width),
               PasteAxis(corners[1], corners[3], height, call.geometry.height), threshold);
    } else if (const Window window = FindWindow(plane, threshold); !window.empty()) {
      sink.Add(box, Transpose(plane, window), window, columns, rows, threshold);
    }
  }
  return {};
}

}  // namespace millrace
