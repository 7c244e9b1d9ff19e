// Segments of semantic heads.
#include <cmath>
#include <limits>
#include <string>

#include "image/label_map.h"
#include "image/segments.h"

namespace millrace {
namespace {

// The runs of each class, and the sums of their pixels' probabilities.
class ClassSink final : public LabelSink {
 public:
  ClassSink(size_t classes, const CanvasGeometry& geometry) {
    writers_.reserve(classes);
    for (size_t c = 0; c < classes; ++c) writers_.emplace_back(geometry.width, geometry.height, budget_);
    sums_.resize(classes);
  }

  void Add(uint32_t label, size_t place, size_t length, double probability) override {
    writers_[label].Add(place, length);
    sums_[label] += probability;
  }

  void Finish(std::vector<Segment>& segments) {
    for (size_t c = 0; c < writers_.size(); ++c) {
      const size_t area = writers_[c].area();
      if (area == 0) continue;
      const auto score = static_cast<float>(sums_[c] / static_cast<double>(area));
      segments.push_back({static_cast<int32_t>(c), score, writers_[c].Finish()});
    }
  }

 private:
  CountBudget budget_;
  std::vector<RunWriter> writers_;
  std::vector<double> sums_;
};

GridColumns Transpose(const HeadTensor& plane, size_t height, size_t width) {
  GridColumns grid;
  grid.height = height;
  grid.values.resize(height * width);
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) grid.values[x * height + y] = Finite(plane.data[y * width + x]);
  }
  return grid;
}

// Returns the mean sigmoid of the pixels of a mask.
float MeanSigmoid(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, const Mask& mask, StopCheck& stop) {
  const auto last_column = columns.size - 1;
  double sum = 0;
  ForEachRun(mask.counts, [&](size_t first, size_t last) {
    for (size_t place = first; place < last; ++place) {
      stop.Spend(2);
      const auto [x, part_x] = columns.samples[place / mask.height - columns.first];
      const auto [y, part_y] = rows.samples[place % mask.height - rows.first];
      const float* const left = grid.values.data() + x * grid.height;
      const float* const right = grid.values.data() + std::min<size_t>(x + 1, last_column) * grid.height;
      const size_t below = std::min<size_t>(y + 1, grid.height - 1);
      const float value = (1 - part_y) * ((1 - part_x) * left[y] + part_x * right[y]) +
                          part_y * ((1 - part_x) * left[below] + part_x * right[below]);
      sum += 1 / (1 + std::exp(-value));
    }
  });
  return static_cast<float>(sum / static_cast<double>(mask.area));
}

void FindForeground(const SegmentCall& call, const GridAxis& columns, const GridAxis& rows, StopCheck& stop,
                    std::vector<Segment>& segments) {
  const GridColumns grid = Transpose(call.tensors[0], rows.size, columns.size);
  CountBudget budget;
  RunWriter writer(call.geometry.width, call.geometry.height, budget);
  const float threshold = std::max(LogitOf(call.options.mask_threshold), kNoValue);
  WriteGridMask(grid, columns, rows, threshold, call.geometry.height, stop, writer);
  if (writer.area() == 0) return;
  Mask mask = writer.Finish();
  const float score = MeanSigmoid(grid, columns, rows, mask, stop);
  segments.push_back({0, score, std::move(mask)});
}

}  // namespace

Status FindSemantic(const SegmentCall& call, std::vector<Segment>& segments) {
  const HeadTensor& logits = call.tensors[0];
  MILLRACE_RETURN_IF_ERROR(CheckTensor(logits, 3, "logits"));
  const Planes planes = {logits.data, logits.dims[0], logits.dims[1], logits.dims[2]};
  if (logits.data.empty() || planes.count > std::numeric_limits<int32_t>::max()) {
    return {Code::kInvalidArgument, "The output of logits has the shape " + DescribeDims(logits.dims) +
                                        ": expected at least one class, row and column"};
  }
  const GridAxis columns = ColumnsOf(call.geometry, planes.width);
  const GridAxis rows = RowsOf(call.geometry, planes.height);
  StopCheck stop(call.options.boxes.stop);
  if (planes.count == 1) {
    FindForeground(call, columns, rows, stop, segments);
    return {};
  }
  ClassSink sink(planes.count, call.geometry);
  FindLabels(planes, columns, rows, call.geometry.height, true, stop, sink);
  sink.Finish(segments);
  return {};
}

}  // namespace millrace
