// Vectors of tokens become one vector of their row, so that a hundredth of the numbers leaves the worker.
#pragma once

#include <cstdint>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

struct Request;

// The modes of the Pooling module of sentence-transformers, and the numbers of POOL_MODES in native/pooling.ts.
enum class PoolMode : uint8_t {
  kFirst = 0,
  kLast = 1,
  kMax = 2,
  kMean = 3,
  // The sum divided by the square root of the number of tokens.
  kMeanSqrtLength = 4,
  // The mean with the weights 1, 2, 3, ... of the tokens of the row.
  kWeightedMean = 5,
};
inline constexpr int32_t kPoolModes = 6;

// How a request wants one of its outputs.
struct Pooling {
  // The tokens of a row that count, from the first to before the last.
  struct Tokens {
    int64_t from = 0;
    int64_t to = 0;
  };
  size_t output = 0;
  std::vector<PoolMode> modes;
  std::vector<Tokens> rows;
};

// Replaces the outputs of a successful request with `request.pooling` by a block in which only the pooled output has
// elements, float32 [rows, modes x size]. Returns kInvalidArgument if the request's part of the output is not
// [rows, tokens, size] of float32, float16 or bfloat16, or lacks a row or a token. Throws std::bad_alloc.
Status PoolOutputs(Request& request);

}  // namespace millrace
