// The closed set of input shapes that a model is warmed for and a GPU keeps fixed buffers for.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// One such set: the shape of each input, in the order of the signature, and the rows in it, which are 1
// where dimension 0 does not count rows.
struct Bucket {
  int64_t rows = 1;
  std::vector<Shape> inputs;
};

// Puts the buckets in order, smallest first, equal ones once. kInvalidArgument: one that does not fit
// the signature, or more than kMaxBuckets.
inline constexpr size_t kMaxBuckets = 512;
Status SortBuckets(const Signature& signature, std::vector<Bucket>& buckets);

// The bucket that takes inputs of these shapes: the equal one or, where dimension 0 counts rows
// (`batched`), the one with the fewest rows at least theirs and all else equal. Empty if none does.
std::optional<size_t> FindBucket(std::span<const Bucket> buckets,
                                 std::span<const Shape> inputs, bool batched) noexcept;

// The first input of a dynamic shape whose name cannot stand in a profile, in which colons and commas part
// names and shapes; empty if there is none.
std::string NameWithoutProfile(const Signature& signature);

// TensorRT's optimisation profile over all buckets, as `name:2x3,other:4`: smallest sizes, largest
// sizes, and those of the largest bucket, which throughput depends on. Only dynamic inputs are
// named; all texts are empty if there are none.
struct Profile {
  std::string min;
  std::string opt;
  std::string max;
};
Profile MakeProfile(const Signature& signature, std::span<const Bucket> buckets);

}  // namespace millrace
