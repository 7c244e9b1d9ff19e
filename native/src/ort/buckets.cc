#include "ort/buckets.h"

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
  return {Code::kInvalidArgument, "A bucket gives input '" + spec.name +
                                      "' a shape that the model does not take or no memory can hold"};
}

// Elements of all inputs: the order in which buckets are tried.
int64_t Weight(const Bucket& bucket) {
  int64_t sum = 0;
  for (const Shape& shape : bucket.inputs) sum += shape.Elements().value_or(0);
  return sum;
}

bool Takes(const Bucket& bucket, std::span<const Shape> inputs, bool batched) noexcept {
  if (bucket.inputs.size() != inputs.size()) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape& ours = bucket.inputs[i];
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

Status SortBuckets(const Signature& signature, std::vector<Bucket>& buckets) {
  std::vector<Bucket> sorted;
  for (Bucket& bucket : buckets) {
    for (size_t i = 0; i < signature.inputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(CheckShape(signature.inputs[i], bucket.inputs[i]));
    }
    const bool known = std::ranges::any_of(
        sorted, [&bucket](const Bucket& other) { return other.inputs == bucket.inputs; });
    if (!known) sorted.push_back(std::move(bucket));
  }
  if (sorted.size() > kMaxBuckets) {
    return {Code::kInvalidArgument,
            "There are " + std::to_string(sorted.size()) + " combinations of lengths and batch sizes, "
            "each of which a GPU is warmed for: declare fewer, at most " + std::to_string(kMaxBuckets)};
  }
  std::ranges::stable_sort(sorted, {}, Weight);
  buckets = std::move(sorted);
  return {};
}

std::optional<size_t> FindBucket(std::span<const Bucket> buckets,
                                 std::span<const Shape> inputs, bool batched) noexcept {
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (Takes(buckets[i], inputs, batched)) return i;
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

Profile MakeProfile(const Signature& signature, std::span<const Bucket> buckets) {
  Profile profile;
  if (buckets.empty()) return profile;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    if (std::ranges::find(spec.dims, -1) == spec.dims.end()) continue;
    Shape min = buckets.front().inputs[i];
    Shape max = min;
    for (const Bucket& bucket : buckets) {
      for (size_t axis = 0; axis < min.rank; ++axis) {
        min.dims[axis] = std::min(min.dims[axis], bucket.inputs[i].dims[axis]);
        max.dims[axis] = std::max(max.dims[axis], bucket.inputs[i].dims[axis]);
      }
    }
    Append(profile.min, spec.name, min);
    Append(profile.opt, spec.name, buckets.back().inputs[i]);
    Append(profile.max, spec.name, max);
  }
  return profile;
}

}  // namespace millrace
