#include "ort/buckets.h"

#include <algorithm>

namespace millrace {
namespace {

// The size of a dynamic dimension, empty if the bucket says nothing of it.
std::optional<int64_t> SizeOf(const Bucket& bucket, const TensorSpec& spec, size_t axis) {
  for (const std::string& name : {spec.symbols[axis], spec.name + ':' + std::to_string(axis)}) {
    const auto found = bucket.axes.find(name);
    if (!name.empty() && found != bucket.axes.end()) return found->second;
  }
  if (axis == 0) return bucket.rows;
  return {};
}

std::string Describe(const TensorSpec& spec, size_t axis) {
  const std::string place = "dimension " + std::to_string(axis) + " of input '" + spec.name + "'";
  return spec.symbols[axis].empty() ? place : place + " ('" + spec.symbols[axis] + "')";
}

Status ResolveShape(const TensorSpec& spec, const Bucket& bucket, Shape& shape) {
  shape.rank = static_cast<uint8_t>(spec.dims.size());
  for (size_t axis = 0; axis < spec.dims.size(); ++axis) {
    if (spec.dims[axis] != -1) {
      shape.dims[axis] = spec.dims[axis];
      continue;
    }
    const std::optional<int64_t> size = SizeOf(bucket, spec, axis);
    if (!size) {
      return {Code::kInvalidArgument, "A bucket says nothing of " + Describe(spec, axis) +
                                          ": give it a size by its name, or as '" + spec.name + ':' +
                                          std::to_string(axis) + "'"};
    }
    if (*size < 1) {
      return {Code::kInvalidArgument, "A bucket gives " + Describe(spec, axis) + " the size " +
                                          std::to_string(*size) + ": expected at least 1"};
    }
    shape.dims[axis] = *size;
  }
  if (!shape.Elements()) {
    return {Code::kInvalidArgument, "A bucket makes input '" + spec.name + "' too large to exist"};
  }
  return {};
}

// Elements of all inputs: the order in which buckets are tried.
int64_t Weight(const ResolvedBucket& bucket) {
  int64_t sum = 0;
  for (const Shape& shape : bucket.inputs) sum += shape.Elements().value_or(0);
  return sum;
}

bool Takes(const ResolvedBucket& bucket, std::span<const Shape> inputs, bool batched) noexcept {
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

std::vector<Bucket> CombineBuckets(std::span<const AxisSpec> axes, std::span<const int64_t> rows) {
  std::vector<Bucket> buckets;
  for (const int64_t size : rows) buckets.push_back({size, {}});
  for (const AxisSpec& axis : axes) {
    std::vector<Bucket> longer;
    for (const Bucket& bucket : buckets) {
      for (const int64_t length : axis.lengths) {
        Bucket& fresh = longer.emplace_back(bucket);
        fresh.axes[axis.name] = length;
        for (const std::string& dimension : axis.dimensions) fresh.axes[dimension] = length;
      }
    }
    buckets = std::move(longer);
  }
  return buckets;
}

Status ResolveBuckets(const Signature& signature, std::span<const Bucket> buckets,
                      std::vector<ResolvedBucket>& resolved) {
  resolved.clear();
  for (const Bucket& bucket : buckets) {
    ResolvedBucket fresh;
    fresh.rows = bucket.rows;
    for (const TensorSpec& spec : signature.inputs) {
      MILLRACE_RETURN_IF_ERROR(ResolveShape(spec, bucket, fresh.inputs.emplace_back()));
    }
    const bool known = std::ranges::any_of(
        resolved, [&fresh](const ResolvedBucket& other) { return other.inputs == fresh.inputs; });
    if (!known) resolved.push_back(std::move(fresh));
  }
  std::ranges::stable_sort(resolved, {}, Weight);
  return {};
}

std::optional<size_t> FindBucket(std::span<const ResolvedBucket> buckets,
                                 std::span<const Shape> inputs, bool batched) noexcept {
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (Takes(buckets[i], inputs, batched)) return i;
  }
  return {};
}

Profile MakeProfile(const Signature& signature, std::span<const ResolvedBucket> buckets) {
  Profile profile;
  if (buckets.empty()) return profile;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    if (std::ranges::find(spec.dims, -1) == spec.dims.end()) continue;
    Shape min = buckets.front().inputs[i];
    Shape max = min;
    for (const ResolvedBucket& bucket : buckets) {
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
