#include "ort/device_shapes.h"

#include <algorithm>

namespace millrace {
namespace {

Status CheckShape(const TensorSpec& spec, const Shape& shape) {
  bool fits = shape.rank == spec.dims.size();
  for (size_t axis = 0; fits && axis < shape.rank; ++axis) {
    const int64_t declared = spec.dims[axis];
    fits = declared == -1 ? shape.dims[axis] >= 1 : shape.dims[axis] == declared;
  }
  if (fits && shape.Elements()) return {};
  return {Code::kInvalidArgument, "A device shape gives input '" + spec.name +
                                      "' a shape that the model does not take or no memory can hold"};
}

// Returns the number of elements of all inputs, which decides the order in which device shapes are tried.
int64_t Weight(const DeviceShape& device_shape) {
  int64_t sum = 0;
  for (const Shape& shape : device_shape.inputs) sum += shape.Elements().value_or(0);
  return sum;
}

bool Takes(const DeviceShape& shape, std::span<const Shape> inputs, bool batched) noexcept {
  if (shape.inputs.size() != inputs.size()) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape& ours = shape.inputs[i];
    if (ours.rank != inputs[i].rank) return false;
    for (size_t axis = 0; axis < ours.rank; ++axis) {
      const bool fits = axis == 0 && batched ? inputs[i].dims[0] <= ours.dims[0]
                                             : inputs[i].dims[axis] == ours.dims[axis];
      if (!fits) return false;
    }
  }
  return true;
}

void Append(std::string& list, const std::string& name, const Shape& shape) {
  if (!list.empty()) list += ',';
  list += name;
  list += ':';
  for (size_t axis = 0; axis < shape.rank; ++axis) {
    if (axis != 0) list += 'x';
    list += std::to_string(shape.dims[axis]);
  }
}

}  // namespace

Status SortDeviceShapes(const Signature& signature, std::vector<DeviceShape>& shapes) {
  std::vector<DeviceShape> sorted;
  for (DeviceShape& shape : shapes) {
    for (size_t i = 0; i < signature.inputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(CheckShape(signature.inputs[i], shape.inputs[i]));
    }
    const bool known = std::ranges::any_of(
        sorted, [&shape](const DeviceShape& other) { return other.inputs == shape.inputs; });
    if (!known) sorted.push_back(std::move(shape));
  }
  if (sorted.size() > kMaxDeviceShapes) {
    return {Code::kInvalidArgument,
            "There are " + std::to_string(sorted.size()) + " combinations of lengths and batch sizes, "
            "each of which a GPU is warmed for: declare fewer, at most " + std::to_string(kMaxDeviceShapes)};
  }
  std::ranges::stable_sort(sorted, {}, Weight);
  shapes = std::move(sorted);
  return {};
}

std::optional<size_t> FindDeviceShape(std::span<const DeviceShape> shapes,
                                 std::span<const Shape> inputs, bool batched) noexcept {
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (Takes(shapes[i], inputs, batched)) return i;
  }
  return {};
}

std::string NameWithoutProfile(const Signature& signature) {
  for (const TensorSpec& spec : signature.inputs) {
    const bool is_static = std::ranges::find(spec.dims, -1) == spec.dims.end();
    if (!is_static && spec.name.find_first_of(":,") != std::string::npos) return spec.name;
  }
  return {};
}

Profile MakeProfile(const Signature& signature, std::span<const DeviceShape> shapes) {
  Profile profile;
  if (shapes.empty()) return profile;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    if (std::ranges::find(spec.dims, -1) == spec.dims.end()) continue;
    Shape min = shapes.front().inputs[i];
    Shape max = min;
    for (const DeviceShape& shape : shapes) {
      for (size_t axis = 0; axis < min.rank; ++axis) {
        min.dims[axis] = std::min(min.dims[axis], shape.inputs[i].dims[axis]);
        max.dims[axis] = std::max(max.dims[axis], shape.inputs[i].dims[axis]);
      }
    }
    Append(profile.min, spec.name, min);
    Append(profile.opt, spec.name, shapes.back().inputs[i]);
    Append(profile.max, spec.name, max);
  }
  return profile;
}

}  // namespace millrace
