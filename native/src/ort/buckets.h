// The closed set of input shapes that a model is warmed for and a GPU keeps fixed buffers for.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/shape_plan.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// Sizes of the dynamic dimensions: `rows` is dimension 0, the others go by their symbol in the model
// file, or by `input:axis` (`x:1`) where they have none.
struct Bucket {
  int64_t rows = 1;
  std::map<std::string, int64_t> axes;
};

// Every combination of the axes' lengths and of those batch sizes.
std::vector<Bucket> CombineBuckets(std::span<const AxisSpec> axes, std::span<const int64_t> rows);

// A bucket with the shape of each input, in the order of the signature.
struct ResolvedBucket {
  int64_t rows = 1;
  std::vector<Shape> inputs;
};

// Finds the inputs' shapes, smallest bucket first, equal ones once. kInvalidArgument names a dynamic
// dimension that a bucket says nothing of, a size below 1, or a tensor too large to exist.
Status ResolveBuckets(const Signature& signature, std::span<const Bucket> buckets,
                      std::vector<ResolvedBucket>& resolved);

// The bucket that takes inputs of these shapes: the equal one or, where dimension 0 counts rows
// (`batched`), the one with the fewest rows at least theirs and all else equal. Empty if none does.
std::optional<size_t> FindBucket(std::span<const ResolvedBucket> buckets,
                                 std::span<const Shape> inputs, bool batched) noexcept;

// TensorRT's optimisation profile over all buckets, as `name:2x3,other:4`: smallest sizes, largest
// sizes, and those of the largest bucket, which throughput depends on. Only dynamic inputs are
// named; all texts are empty if there are none.
struct Profile {
  std::string min;
  std::string opt;
  std::string max;
};
Profile MakeProfile(const Signature& signature, std::span<const ResolvedBucket> buckets);

}  // namespace millrace
