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

// Pools the tokens of one row, whose vectors begin at element `start` and then every `stride` elements, into `vector`.
template <class Elements>
void PoolRow(const std::byte* data, size_t start, size_t stride, const Pooling::Tokens& tokens,
             PoolMode mode, std::vector<double>& vector) {
  const auto place = [&](int64_t token) { return start + static_cast<size_t>(token) * stride; };
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

// Pools rows of `slice` with vectors of `size` elements.
template <class Elements>
void PoolRows(const Slice& slice, size_t size, const Pooling& pooling, float* target) {
  const auto stride = static_cast<size_t>(slice.outer->dims[2]);
  const size_t row_size = static_cast<size_t>(slice.outer->dims[1]) * stride;
  std::vector<double> vector(size);
  size_t start = 0;
  for (const Pooling::Tokens& tokens : pooling.rows) {
    for (const PoolMode mode : pooling.modes) {
      PoolRow<Elements>(slice.view.data, start, stride, tokens, mode, vector);
      for (const double value : vector) *target++ = static_cast<float>(value);
    }
    start += row_size;
  }
}

Status Refuse(const TensorView& own, const std::string& reason) {
  return {Code::kInvalidArgument, "An output of " + std::string(ElementName(own.type)) + ' ' +
                                      DescribeShape(own.shape.view()) + " cannot be pooled: " + reason};
}

// Checks that the request's own part of the output has the rows and tokens that are to be pooled.
Status Check(const TensorView& own, const Pooling& pooling) {
  const bool floats = own.type == ElementType::kFloat32 || own.type == ElementType::kFloat16 ||
                      own.type == ElementType::kBfloat16;
  if (own.shape.rank != 3 || !floats) {
    return Refuse(own, "it needs float32, float16 or bfloat16, and the shape [rows, tokens, size]");
  }
  if (static_cast<int64_t>(pooling.rows.size()) != own.shape.dims[0]) {
    return Refuse(own, std::to_string(pooling.rows.size()) +
                           " pairs of tokens are given, but it needs one for each of its rows");
  }
  for (const auto& [from, to] : pooling.rows) {
    if (0 <= from && from < to && to <= own.shape.dims[1]) continue;
    return Refuse(own, "tokens " + std::to_string(from) + " to before " + std::to_string(to) +
                           " are not among its tokens, or none of them counts");
  }
  return {};
}

}  // namespace

Status PoolOutputs(Request& request) {
  const Pooling& pooling = *request.pooling;
  const Slice slice = OwnSlice(request, pooling.output);
  const TensorView& own = slice.view;
  MILLRACE_RETURN_IF_ERROR(Check(own, pooling));
  const auto block = std::make_shared<PooledOutputs>();
  const int64_t rows = own.shape.dims[0];
  // Without rows the size may be any number, and no memory may be taken for it.
  const auto size = static_cast<size_t>(rows == 0 ? 0 : own.shape.dims[2]);
  const size_t width = size * pooling.modes.size();
  block->values.resize(static_cast<size_t>(rows) * width);
  if (own.type == ElementType::kFloat32) {
    PoolRows<Floats>(slice, size, pooling, block->values.data());
  } else if (own.type == ElementType::kFloat16) {
    PoolRows<Halves<HalfToFloat>>(slice, size, pooling, block->values.data());
  } else {
    PoolRows<Halves<BfloatToFloat>>(slice, size, pooling, block->values.data());
  }
  block->tensors.resize(request.outputs->tensors.size());
  TensorView& pooled = block->tensors[pooling.output];
  pooled.type = ElementType::kFloat32;
  pooled.shape.rank = 2;
  pooled.shape.dims = {rows, static_cast<int64_t>(width)};
  pooled.data = reinterpret_cast<const std::byte*>(block->values.data());
  pooled.bytes = block->values.size() * sizeof(float);
  request.outputs = block;
  request.first_row = 0;
  request.shared = false;
  request.own_shapes.clear();
  return {};
}

}  // namespace millrace
