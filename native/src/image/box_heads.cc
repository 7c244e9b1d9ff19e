// How the kinds of heads describe boxes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "image/boxes.h"

namespace millrace {
namespace {

constexpr size_t kCorners = 4;

bool IsFinite(const Corners& corners) noexcept {
  return std::ranges::all_of(corners, [](float value) { return std::isfinite(value); });
}

Corners FromCentre(float x, float y, float width, float height) noexcept {
  const float half_width = width / 2;
  const float half_height = height / 2;
  return {x - half_width, y - half_height, x + half_width, y + half_height};
}

// Adds a box unless a number of it is not finite or the score is not above the threshold.
class BoxSink {
 public:
  BoxSink(float threshold, std::vector<Box>& boxes) noexcept : threshold_(threshold), boxes_(boxes) {}

  bool Wants(float score) const noexcept { return score > threshold_ && std::isfinite(score); }

  void Add(const Corners& corners, float score, size_t label, size_t source) {
    if (!Wants(score) || !IsFinite(corners)) return;
    boxes_.push_back({corners, score, static_cast<int32_t>(label), static_cast<int32_t>(source)});
  }

  // As Add, for a label that is a float itself.
  void AddLabelled(const Corners& corners, float score, float label, size_t source) {
    constexpr float kMostLabels = 16'777'216.0f;  // the whole numbers that a float tells apart
    if (label >= 0 && label < kMostLabels) Add(corners, score, static_cast<size_t>(label), source);
  }

 private:
  const float threshold_;
  std::vector<Box>& boxes_;
};

// Checks the number of classes and of columns, so that sums of them do not overflow, and the number of boxes, which results hold
// as 32 bits.
Status CheckSizes(const BoxHead& head, size_t boxes) {
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  if (head.classes <= kMost && head.extra <= kMost && boxes <= kMost) return {};
  return {Code::kInvalidArgument, "The outputs describe more boxes, classes or coefficients than 2147483647"};
}

// [4 + classes + extra, anchors]: reads class by class, which goes through memory in order.
void ReadColumns(const HeadTensor& tensor, size_t classes, BoxSink& sink) {
  const size_t anchors = tensor.dims[1];
  const float* const data = tensor.data.data();
  std::vector<float> best(anchors, -std::numeric_limits<float>::infinity());
  std::vector<int32_t> labels(anchors, 0);
  for (size_t label = 0; label < classes; ++label) {
    const float* const scores = data + (kCorners + label) * anchors;
    const auto number = static_cast<int32_t>(label);
    for (size_t i = 0; i < anchors; ++i) {
      const bool better = scores[i] > best[i];
      labels[i] = better ? number : labels[i];
      best[i] = better ? scores[i] : best[i];
    }
  }
  for (size_t i = 0; i < anchors; ++i) {
    if (!sink.Wants(best[i])) continue;
    const Corners corners =
        FromCentre(data[i], data[anchors + i], data[2 * anchors + i], data[3 * anchors + i]);
    sink.Add(corners, best[i], static_cast<size_t>(labels[i]), i);
  }
}

// [anchors, 5 + classes + extra]: a score is that of the object × that of the class.
void ReadRows(const HeadTensor& tensor, size_t classes, BoxSink& sink) {
  const size_t columns = tensor.dims[1];
  for (size_t i = 0; i < tensor.dims[0]; ++i) {
    const float* const row = tensor.data.data() + i * columns;
    const float object = row[kCorners];
    if (!sink.Wants(object)) continue;
    const float* const scores = row + kCorners + 1;
    size_t label = 0;
    float best = -std::numeric_limits<float>::infinity();
    for (size_t c = 0; c < classes; ++c) {
      const float score = object * scores[c];
      if (score > best) {
        best = score;
        label = c;
      }
    }
    sink.Add(FromCentre(row[0], row[1], row[2], row[3]), best, label, i);
  }
}

Status ReadYolo(const BoxHead& head, const HeadTensor& tensor, BoxSink& sink) {
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensor, 2, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckSizes(head, tensor.dims[head.objectness ? 0 : 1]));
  if (head.classes == 0) return {Code::kInvalidArgument, "A YOLO head needs at least one class"};
  const size_t columns = kCorners + (head.objectness ? 1 : 0) + head.classes + head.extra;
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensor, head.objectness ? 1 : 0, columns, "boxes"));
  if (head.objectness) {
    ReadRows(tensor, head.classes, sink);
  } else {
    ReadColumns(tensor, head.classes, sink);
  }
  return {};
}

Status ReadYoloNms(const BoxHead& head, const HeadTensor& tensor, BoxSink& sink) {
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensor, 2, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckSizes(head, tensor.dims[0]));
  const size_t columns = kCorners + 2 + head.extra;
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensor, 1, columns, "boxes"));
  for (size_t i = 0; i < tensor.dims[0]; ++i) {
    const float* const row = tensor.data.data() + i * columns;
    sink.AddLabelled({row[0], row[1], row[2], row[3]}, row[4], row[5], i);
  }
  return {};
}

// One box for each query: the best class but the last one, which means no object.
void ReadSoftmax(const HeadTensor& logits, auto&& corners_of, BoxSink& sink) {
  const size_t classes = logits.dims[1];
  for (size_t query = 0; query < logits.dims[0]; ++query) {
    const auto row = logits.data.subspan(query * classes, classes);
    const float most = *std::ranges::max_element(row);
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit) - most);
    const auto best = std::ranges::max_element(row.first(classes - 1));
    // If a logit is not a number, the sum is none, and the score is not wanted.
    const auto score = static_cast<float>(std::exp(static_cast<double>(*best) - most) / sum);
    sink.Add(corners_of(query), score, static_cast<size_t>(best - row.begin()), query);
  }
}

// As many boxes as there are queries, the best of all queries and classes: one query may describe several.
void ReadSigmoid(const HeadTensor& logits, auto&& corners_of, float threshold, std::vector<Box>& boxes) {
  const size_t queries = logits.dims[0];
  const size_t classes = logits.dims[1];
  struct Score {
    float logit;
    size_t place;
  };
  // The sigmoid rises with the logit. Only those that are surely too low are left out here; the exact test is on the score.
  const double least = threshold <= 0 ? -INFINITY : std::log(threshold / (1.0 - threshold)) - 1e-3;
  std::vector<Score> scores;
  for (size_t i = 0; i < logits.data.size(); ++i) {
    if (const float logit = logits.data[i]; logit >= least) scores.push_back({logit, i});
  }
  const auto better = [](const Score& a, const Score& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.place < b.place);
  };
  const size_t count = std::min(queries, scores.size());
  std::ranges::partial_sort(scores, scores.begin() + static_cast<std::ptrdiff_t>(count), better);
  BoxSink sink(threshold, boxes);
  for (const Score& score : std::span(scores).first(count)) {
    const auto probability = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(score.logit))));
    sink.Add(corners_of(score.place / classes), probability, score.place % classes, score.place / classes);
  }
}

Status ReadDetr(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry, float threshold,
                std::vector<Box>& boxes) {
  const HeadTensor& logits = tensors[0];
  MILLRACE_RETURN_IF_ERROR(CheckTensor(logits, 2, "logits"));
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensors[1], 2, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensors[1], 1, kCorners, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensors[1], 0, logits.dims[0], "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckSizes(head, std::max(logits.dims[0], logits.dims[1])));
  if (logits.dims[1] < (head.softmax ? 2 : 1)) {
    return {Code::kInvalidArgument, "The output of logits has no class, shape " + DescribeDims(logits.dims)};
  }
  const auto width = static_cast<float>(geometry.canvas_width);
  const auto height = static_cast<float>(geometry.canvas_height);
  const auto corners_of = [&](size_t query) {
    const float* const box = tensors[1].data.data() + query * kCorners;
    return FromCentre(box[0] * width, box[1] * height, box[2] * width, box[3] * height);
  };
  if (head.softmax) {
    BoxSink sink(threshold, boxes);
    ReadSoftmax(logits, corners_of, sink);
  } else {
    ReadSigmoid(logits, corners_of, threshold, boxes);
  }
  return {};
}

Status ReadListed(const BoxHead& head, std::span<const HeadTensor> tensors, BoxSink& sink) {
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensors[0], 2, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensors[0], 1, kCorners, "boxes"));
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensors[1], 1, "scores"));
  MILLRACE_RETURN_IF_ERROR(CheckTensor(tensors[2], 1, "classes"));
  const size_t count = tensors[0].dims[0];
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensors[1], 0, count, "scores"));
  MILLRACE_RETURN_IF_ERROR(CheckDim(tensors[2], 0, count, "classes"));
  MILLRACE_RETURN_IF_ERROR(CheckSizes(head, count));
  for (size_t i = 0; i < count; ++i) {
    const float* const box = tensors[0].data.data() + i * kCorners;
    sink.AddLabelled({box[0], box[1], box[2], box[3]}, tensors[1].data[i], tensors[2].data[i], i);
  }
  return {};
}

}  // namespace

Status ReadBoxes(const BoxHead& head, std::span<const HeadTensor> tensors, const CanvasGeometry& geometry, float threshold,
                 std::vector<Box>& boxes) {
  if (tensors.size() != TensorsOf(head.kind)) {
    return {Code::kInvalidArgument, "The head needs " + std::to_string(TensorsOf(head.kind)) + " outputs, but got " +
                                        std::to_string(tensors.size())};
  }
  BoxSink sink(threshold, boxes);
  switch (head.kind) {
    case BoxKind::kYolo:
      return ReadYolo(head, tensors[0], sink);
    case BoxKind::kYoloNms:
      return ReadYoloNms(head, tensors[0], sink);
    case BoxKind::kDetr:
      return ReadDetr(head, tensors, geometry, threshold, boxes);
    case BoxKind::kListed:
      return ReadListed(head, tensors, sink);
    case BoxKind::kCount:
      break;
  }
  return {Code::kInvalidArgument, "The kind of head is not known"};
}

}  // namespace millrace
