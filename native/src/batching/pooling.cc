#include "batching/pooling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "batching/half.h"
#include "batching/padding.h"
#include "batching/request.h"

namespace millrace {
namespace {

class PooledOutputs final : public OutputBlock {
 public:
  std::vector<float> values;
};

// The elements of a tensor as floats.
struct Floats {
  static float At(const std::byte* data, size_t index) noexcept {
    float value;
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    return value;
  }
};
template <float (*Widen)(uint16_t) noexcept>
struct Halves {
  static float At(const std::byte* data, size_t index) noexcept {
    uint16_t value;
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    return Widen(value);
  }
};

// Adds `weight` times the vector at `start` to `sum`.
template <class Elements>
void AddTimes(const std::byte* data, size_t start, double weight, std::vector<double>& sum) {
  for (size_t i = 0; i < sum.size(); ++i) {
    sum[i] += static_cast<double>(Elements::At(data, start + i)) * weight;
  }
}

template <class Elements>
void TakeLarger(const std::byte* data, size_t start, std::vector<double>& largest) {
  for (size_t i = 0; i < largest.size(); ++i) {
    const double value = Elements::At(data, start + i);
    // NaN stays, as it does with torch.max.
    if (!(value <= largest[i]) && !std::isnan(largest[i])) largest[i] = value;
  }
}

// Pools the tokens of one row, whose vectors begin at element `start`, into `vector`.
template <class Elements>
void PoolRow(const std::byte* data, size_t start, const Pooling::Tokens& tokens, PoolMode mode,
             std::vector<double>& vector) {
  const auto place = [&](int64_t token) { return start + static_cast<size_t>(token) * vector.size(); };
  const auto count = static_cast<double>(tokens.to - tokens.from);
  double divisor = 1;
  std::ranges::fill(vector, mode == PoolMode::kMax ? -std::numeric_limits<double>::infinity() : 0);
  switch (mode) {
    case PoolMode::kFirst:
      return AddTimes<Elements>(data, place(tokens.from), 1, vector);
    case PoolMode::kLast:
      return AddTimes<Elements>(data, place(tokens.to - 1), 1, vector);
    case PoolMode::kMax:
      for (int64_t token = tokens.from; token < tokens.to; ++token) {
        TakeLarger<Elements>(data, place(token), vector);
      }
      return;
    case PoolMode::kMean:
      divisor = count;
      break;
    case PoolMode::kMeanSqrtLength:
      divisor = std::sqrt(count);
      break;
    case PoolMode::kWeightedMean:
      divisor = count * static_cast<double>(tokens.from + 1 + tokens.to) / 2;
      break;
  }
  for (int64_t token = tokens.from; token < tokens.to; ++token) {
    const double weight = mode == PoolMode::kWeightedMean ? static_cast<double>(token + 1) : 1;
    AddTimes<Elements>(data, place(token), weight, vector);
  }
  for (double& value : vector) value /= divisor;
}

template <class Elements>
void PoolRows(const TensorView& view, int64_t first_row, const Pooling& pooling, float* target) {
  const auto size = static_cast<size_t>(view.shape.dims[2]);
  const size_t row_size = static_cast<size_t>(view.shape.dims[1]) * size;
  std::vector<double> vector(size);
  size_t start = static_cast<size_t>(first_row) * row_size;
  for (const Pooling::Tokens& tokens : pooling.rows) {
    for (const PoolMode mode : pooling.modes) {
      PoolRow<Elements>(view.data, start, tokens, mode, vector);
      for (const double value : vector) *target++ = static_cast<float>(value);
    }
    start += row_size;
  }
}

// Returns whether the output has the rows and tokens that are to be pooled.
bool Fits(const TensorView& view, const Request& request) noexcept {
  const Pooling& pooling = *request.pooling;
  if (view.shape.rank != 3) return false;
  const int64_t rows = request.shared ? request.rows : view.shape.dims[0];
  return static_cast<int64_t>(pooling.rows.size()) == rows &&
         std::ranges::all_of(pooling.rows, [&](const Pooling::Tokens& tokens) {
           return 0 <= tokens.from && tokens.from < tokens.to && tokens.to <= view.shape.dims[1];
         });
}

}  // namespace

Status PoolOutputs(Request& request) {
  const Pooling& pooling = *request.pooling;
  const TensorView& view = request.outputs->tensors[pooling.output];
  if (!Fits(view, request)) {
    return {Code::kInvalidArgument,
            "An output of the shape " + DescribeShape(view.shape.view()) +
                " cannot be pooled: it needs the shape [rows, tokens, size], a pair of tokens for each of its rows, and "
                "as many tokens as the pairs name"};
  }
  const auto block = std::make_shared<PooledOutputs>();
  const int64_t rows = static_cast<int64_t>(pooling.rows.size());
  const int64_t width = view.shape.dims[2] * static_cast<int64_t>(pooling.modes.size());
  block->values.resize(static_cast<size_t>(rows * width));
  switch (view.type) {
    case ElementType::kFloat32:
      PoolRows<Floats>(view, request.first_row, pooling, block->values.data());
      break;
    case ElementType::kFloat16:
      PoolRows<Halves<HalfToFloat>>(view, request.first_row, pooling, block->values.data());
      break;
    case ElementType::kBfloat16:
      PoolRows<Halves<BfloatToFloat>>(view, request.first_row, pooling, block->values.data());
      break;
    default:
      return {Code::kInvalidArgument, std::string("An output of ") + ElementName(view.type) +
                                          " cannot be pooled: it needs float32, float16 or bfloat16"};
  }
  block->tensors.resize(request.outputs->tensors.size());
  TensorView& pooled = block->tensors[pooling.output];
  pooled.type = ElementType::kFloat32;
  pooled.shape.rank = 2;
  pooled.shape.dims = {rows, width};
  pooled.data = reinterpret_cast<const std::byte*>(block->values.data());
  pooled.bytes = block->values.size() * sizeof(float);
  request.outputs = block;
  request.first_row = 0;
  request.shared = false;
  request.own_shapes.clear();
  return {};
}

}  // namespace millrace
