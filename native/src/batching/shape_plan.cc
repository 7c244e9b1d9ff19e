#include "batching/shape_plan.h"

#include <algorithm>

namespace millrace {

const ShapePlan& ShapePlan::OrNone(const ShapePlan* plan) noexcept {
  static const ShapePlan none;
  return plan != nullptr ? *plan : none;
}

// Buckets are numbers of mixed radix. Returns the distance of two neighbours along `axis`.
size_t ShapePlan::Step(size_t axis) const noexcept {
  size_t step = 1;
  for (size_t i = axis + 1; i < axes_.size(); ++i) step *= axes_[i].lengths.size();
  return step;
}

int64_t ShapePlan::Length(size_t bucket, size_t axis) const noexcept {
  const std::vector<int64_t>& lengths = axes_[axis].lengths;
  return lengths[bucket / Step(axis) % lengths.size()];
}

std::vector<int64_t> ShapePlan::Lengths(size_t bucket) const {
  std::vector<int64_t> lengths;
  for (size_t axis = 0; axis < axes_.size(); ++axis) lengths.push_back(Length(bucket, axis));
  return lengths;
}

std::optional<size_t> ShapePlan::Find(const std::map<std::string, int64_t>& lengths) const {
  if (lengths.size() != axes_.size()) return {};
  size_t bucket = 0;
  for (size_t axis = 0; axis < axes_.size(); ++axis) {
    const auto wanted = lengths.find(axes_[axis].name);
    if (wanted == lengths.end()) return {};
    const auto& known = axes_[axis].lengths;
    const auto found = std::ranges::lower_bound(known, wanted->second);
    if (found == known.end() || *found != wanted->second) return {};
    bucket += static_cast<size_t>(found - known.begin()) * Step(axis);
  }
  return bucket;
}

size_t ShapePlan::Join(size_t a, size_t b) const noexcept {
  size_t joined = 0;
  for (size_t axis = 0; axis < axes_.size(); ++axis) {
    const size_t step = Step(axis);
    const size_t count = axes_[axis].lengths.size();
    joined += std::max(a / step % count, b / step % count) * step;
  }
  return joined;
}

int ShapePlan::InputAxis(size_t input, size_t dimension) const noexcept {
  return axes_.empty() ? kNone : inputs_[input].follows[dimension];
}

int ShapePlan::OutputAxis(size_t output, size_t dimension) const noexcept {
  return axes_.empty() ? kNone : outputs_[output][dimension];
}

std::string ShapePlan::AxisOfRows() const {
  const auto along_rows = [this](const Follows& follows) -> const std::string* {
    if (follows.empty() || follows[0] == kNone) return nullptr;
    return &axes_[static_cast<size_t>(follows[0])].name;
  };
  for (const InputPlan& input : inputs_) {
    if (const std::string* const name = along_rows(input.follows)) return *name;
  }
  for (const Follows& output : outputs_) {
    if (const std::string* const name = along_rows(output)) return *name;
  }
  return {};
}

bool ShapePlan::IsMask(size_t input) const noexcept {
  return !axes_.empty() && inputs_[input].mask;
}

Shape ShapePlan::MaskShape(const TensorSpec& spec, size_t input,
                           const Request& request) const noexcept {
  Shape shape;
  shape.rank = static_cast<uint8_t>(spec.dims.size());
  for (size_t dimension = 0; dimension < shape.rank; ++dimension) {
    const int axis = InputAxis(input, dimension);
    // A dimension that follows no axis and is not the model's own can only be dimension 0.
    shape.dims[dimension] = axis != kNone ? OwnLength(request, static_cast<size_t>(axis))
                            : spec.dims[dimension] != -1 ? spec.dims[dimension]
                                                         : request.rows;
  }
  return shape;
}

int64_t ShapePlan::OwnLength(const Request& request, size_t axis) const noexcept {
  const Source& source = sources_[axis];
  return request.inputs[source.input].view.shape.dims[source.dimension];
}

Status ShapePlan::Place(const Signature& signature, Request& request) const {
  request.bucket = 0;
  for (size_t axis = 0; axis < axes_.size(); ++axis) {
    const AxisSpec& spec = axes_[axis];
    const std::string& name = signature.inputs[sources_[axis].input].name;
    const int64_t length = OwnLength(request, axis);
    const auto found = std::ranges::lower_bound(spec.lengths, length);
    if (found == spec.lengths.end()) {
      return {Code::kInvalidArgument,
              "Input '" + name + "' has length " + std::to_string(length) + " along '" + spec.name +
                  "', but the model takes at most " + std::to_string(spec.lengths.back())};
    }
    request.bucket += static_cast<uint32_t>(static_cast<size_t>(found - spec.lengths.begin()) *
                                            Step(axis));
    for (size_t input = 0; input < inputs_.size(); ++input) {
      const Follows& follows = inputs_[input].follows;
      for (size_t dimension = 0; dimension < follows.size(); ++dimension) {
        const int64_t other = request.inputs[input].view.shape.dims[dimension];
        if (follows[dimension] != static_cast<int>(axis) || other == length) continue;
        return {Code::kInvalidArgument, "Input '" + signature.inputs[input].name + "' has length " +
                                            std::to_string(other) + " along '" + spec.name +
                                            "', but '" + name + "' has " + std::to_string(length)};
      }
    }
  }
  for (size_t input = 0; input < inputs_.size(); ++input) {
    const Shape& own = request.inputs[input].view.shape;
    if (!Pads(input)) continue;
    const auto elements = InputShape(input, own, request.bucket).Elements();
    if (!elements || *elements > kMaxElements) {
      return {Code::kInvalidArgument, "Input '" + signature.inputs[input].name +
                                          "' is too large when it is padded: send fewer rows"};
    }
  }
  return {};
}

Shape ShapePlan::InputShape(size_t input, const Shape& own, size_t bucket) const noexcept {
  Shape shape = own;
  if (!Pads(input)) return shape;
  for (size_t dimension = 0; dimension < shape.rank; ++dimension) {
    const int axis = inputs_[input].follows[dimension];
    if (axis != kNone) shape.dims[dimension] = Length(bucket, static_cast<size_t>(axis));
  }
  return shape;
}

const Element& ShapePlan::pad(size_t input) const noexcept {
  static const Element zero;
  return axes_.empty() ? zero : inputs_[input].pad;
}

int64_t ShapePlan::RunRows(int64_t rows) const noexcept {
  const auto found = std::ranges::lower_bound(row_sizes, rows);
  return found == row_sizes.end() ? rows : *found;
}

std::vector<int64_t> ShapePlan::PreparedRows(int64_t max_rows) const {
  if (!row_sizes.empty()) return row_sizes;
  std::vector<int64_t> sizes;
  for (int64_t rows = 1; rows < max_rows; rows *= 2) {
    if (rows == 1 || MayShare(rows)) sizes.push_back(rows);
  }
  sizes.push_back(max_rows);
  return sizes;
}

bool ShapePlan::MayShare(int64_t rows) const noexcept {
  return rows == 0 || shared_rows.empty() || std::ranges::binary_search(shared_rows, rows);
}

int64_t ShapePlan::MostShared(int64_t rows) const noexcept {
  if (shared_rows.empty()) return rows;
  const auto above = std::ranges::upper_bound(shared_rows, rows);
  return above == shared_rows.begin() ? 1 : *(above - 1);
}

int64_t ShapePlan::RowLimit(int64_t per_row, int64_t max_rows) const noexcept {
  const int64_t fitting = std::max<int64_t>(max_elements / std::max<int64_t>(per_row, 1), 1);
  int64_t limit = std::min(fitting, max_rows);
  // It is the largest declared size within the limit, or the smallest if none is.
  const auto above = std::ranges::upper_bound(row_sizes, limit);
  if (above != row_sizes.begin()) limit = std::min(limit, *(above - 1));
  return limit;
}

Status ShapePlan::CheckOutputs(const std::vector<TensorView>& outputs, const Request& request,
                               size_t bucket) const {
  for (size_t output = 0; cuts_ && output < outputs.size(); ++output) {
    const Shape& shape = outputs[output].shape;
    for (size_t dimension = 0; dimension < outputs_[output].size(); ++dimension) {
      const int follows = outputs_[output][dimension];
      if (follows == kNone) continue;
      const auto axis = static_cast<size_t>(follows);
      const int64_t length = pads ? Length(bucket, axis) : OwnLength(request, axis);
      if (dimension < shape.rank && shape.dims[dimension] == length) continue;
      return {Code::kInternal, "Dimension " + std::to_string(dimension) + " of output " +
                                   std::to_string(output) + " is not the length of '" +
                                   axes_[axis].name + "', " + std::to_string(length) +
                                   ": take that axis out of the model's batching options"};
    }
  }
  return {};
}

void ShapePlan::SetOwnShapes(const std::vector<TensorView>& outputs, bool batched,
                             Request& request) const {
  request.own_shapes.clear();
  if (!cuts_ || !pads) return;
  for (size_t output = 0; output < outputs.size(); ++output) {
    Shape& shape = request.own_shapes.emplace_back(outputs[output].shape);
    if (batched) shape.dims[0] = request.rows;
    const Follows& follows = outputs_[output];
    for (size_t dimension = 0; dimension < std::min<size_t>(shape.rank, follows.size()); ++dimension) {
      const int axis = follows[dimension];
      if (axis != kNone) shape.dims[dimension] = OwnLength(request, static_cast<size_t>(axis));
    }
  }
}

std::vector<Shape> ShapePlan::SampleShapes(const Signature& signature,
                                           std::span<const int64_t> lengths, int64_t other) const {
  std::vector<Shape> shapes;
  for (size_t input = 0; input < signature.inputs.size(); ++input) {
    const std::vector<int64_t>& dims = signature.inputs[input].dims;
    Shape& shape = shapes.emplace_back();
    shape.rank = static_cast<uint8_t>(dims.size());
    for (size_t dimension = 0; dimension < dims.size(); ++dimension) {
      const int axis = InputAxis(input, dimension);
      shape.dims[dimension] = axis != kNone ? lengths[static_cast<size_t>(axis)]
                              : dims[dimension] != -1 ? dims[dimension]
                                                      : other;
    }
  }
  return shapes;
}

}  // namespace millrace
