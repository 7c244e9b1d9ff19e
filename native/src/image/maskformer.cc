// Panoptic segments of MaskFormer.
#include <algorithm>
#include <cmath>
#include <limits>

#include "image/label_map.h"
#include "image/segments.h"

namespace millrace {
namespace {

constexpr double kOverlapArea = 0.8;

struct Query {
  size_t number = 0;
  int32_t label = 0;
  float score = 0;
};

// Returns the queries that show an object with a score above the threshold: the highest of the softmax over all classes, the last of
// which means that there is none.
std::vector<Query> FindQueries(const HeadTensor& logits, float threshold) {
  const size_t classes = logits.dims[1];
  std::vector<Query> queries;
  for (size_t query = 0; query < logits.dims[0]; ++query) {
    const auto row = logits.data.subspan(query * classes, classes);
    const auto best = std::ranges::max_element(row);
    const float most = *best;
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit) - most);
    const auto label = best - row.begin();
    const auto score = static_cast<float>(1 / sum);
    // The comparison is also false if a logit is not a number.
    if (static_cast<size_t>(label) + 1 < classes && score > threshold) {
      queries.push_back({query, static_cast<int32_t>(label), score});
    }
  }
  return queries;
}

// The pixels at which each query is the highest.
class QuerySink final : public LabelSink {
 public:
  QuerySink(size_t queries, const CanvasGeometry& geometry) {
    writers_.reserve(queries);
    for (size_t i = 0; i < queries; ++i) writers_.emplace_back(geometry.width, geometry.height, budget_);
  }

  void Add(uint32_t query, size_t place, size_t length, double) override { writers_[query].Add(place, length); }

  RunWriter& writer(size_t query) noexcept { return writers_[query]; }

 private:
  CountBudget budget_;
  std::vector<RunWriter> writers_;
};

// Returns the probabilities of the queries' masks, weighed by their scores.
std::vector<float> WeighMasks(const HeadTensor& masks, std::span<const Query> queries, StopCheck& stop) {
  const size_t size = masks.dims[1] * masks.dims[2];
  std::vector<float> weighed;
  weighed.reserve(queries.size() * size);
  for (const Query& query : queries) {
    stop.Spend(size);
    for (const float logit : masks.data.subspan(query.number * size, size)) {
      weighed.push_back(query.score / (1 + std::exp(-Finite(logit))));
    }
  }
  return weighed;
}

// Returns the number of pixels at which the weighed probability of a query is at least the threshold; if there are more than `most`,
// any number above it.
size_t AreaOf(const Planes& planes, size_t query, const GridAxis& columns, const GridAxis& rows, float threshold,
              size_t most, StopCheck& stop) {
  GridColumns grid;
  grid.height = planes.height;
  grid.values.resize(planes.height * planes.width);
  const auto plane = planes.values.subspan(query * grid.values.size(), grid.values.size());
  for (size_t y = 0; y < planes.height; ++y) {
    for (size_t x = 0; x < planes.width; ++x) grid.values[x * planes.height + y] = plane[y * planes.width + x];
  }
  return AreaOfGridMask(grid, columns, rows, threshold, most, stop);
}

Status Check(const HeadTensor& logits, const HeadTensor& masks) {
  MILLRACE_RETURN_IF_ERROR(CheckTensor(logits, 2, "class logits"));
  MILLRACE_RETURN_IF_ERROR(CheckTensor(masks, 3, "mask logits"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(masks, 0, logits.dims[0], "mask logits"));
  const bool classes = logits.dims[1] >= 2 && logits.dims[1] <= std::numeric_limits<int32_t>::max();
  if (classes && masks.dims[1] >= 1 && masks.dims[2] >= 1) return {};
  return {Code::kInvalidArgument, "The outputs have no class, row or column: their shapes are " + DescribeDims(logits.dims) +
                                      " and " + DescribeDims(masks.dims)};
}

}  // namespace

Status FindMaskformer(const SegmentCall& call, std::vector<Segment>& segments) {
  const HeadTensor& masks = call.tensors[1];
  MILLRACE_RETURN_IF_ERROR(Check(call.tensors[0], masks));
  const std::vector<Query> queries = FindQueries(call.tensors[0], call.options.boxes.threshold);
  if (queries.empty()) return {};
  StopCheck stop(call.options.boxes.stop);
  const std::vector<float> weighed = WeighMasks(masks, queries, stop);
  const Planes planes = {weighed, queries.size(), masks.dims[1], masks.dims[2]};
  const GridAxis columns = ColumnsOf(call.geometry, planes.width);
  const GridAxis rows = RowsOf(call.geometry, planes.height);
  QuerySink sink(queries.size(), call.geometry);
  FindLabels(planes, columns, rows, call.geometry.height, false, stop, sink);
  for (size_t i = 0; i < queries.size(); ++i) {
    RunWriter& writer = sink.writer(i);
    if (writer.area() == 0) continue;
    // Parts of a mask that others cover are no segments. In a larger mask than `most` they surely cover too much.
    const auto most = static_cast<size_t>(static_cast<double>(writer.area()) / kOverlapArea) + 1;
    const size_t whole = AreaOf(planes, i, columns, rows, call.options.mask_threshold, most, stop);
    const double part = static_cast<double>(writer.area()) / static_cast<double>(whole);
    if (whole == 0 || !(part > kOverlapArea)) continue;
    segments.push_back({queries[i].label, queries[i].score, writer.Finish()});
  }
  return {};
}

}  // namespace millrace
