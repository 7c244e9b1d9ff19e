#include "batching/probe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "batching/samples.h"

namespace millrace {
namespace {

// float32 tolerance: kernels may sum in another order when the batch is larger.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-4;

template <class T>
bool Close(const std::byte* a, const std::byte* b, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    T x;
    T y;
    std::memcpy(&x, a + i * sizeof(T), sizeof(T));
    std::memcpy(&y, b + i * sizeof(T), sizeof(T));
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    if (!(std::abs(x - y) <= kAbsolute + kRelative * std::abs(y))) return false;
  }
  return true;
}

// Whether row `row` of `pair` equals the only row of `alone`.
bool SameRow(const TensorView& pair, size_t row, const TensorView& alone) {
  if (pair.shape.rank != alone.shape.rank || alone.shape.dims[0] != 1) return false;
  if (pair.shape.Elements(1) != alone.shape.Elements(1)) return false;
  const auto elements = static_cast<size_t>(alone.shape.Elements(1).value_or(0));
  if (alone.type == ElementType::kString) {
    return std::equal(alone.strings, alone.strings + elements, pair.strings + row * elements);
  }
  const size_t bytes = elements * ElementSize(alone.type);
  const std::byte* const ours = pair.data + row * bytes;
  if (alone.type == ElementType::kFloat32) return Close<float>(ours, alone.data, elements);
  if (alone.type == ElementType::kFloat64) return Close<double>(ours, alone.data, elements);
  // Half precision is compared by its bits but for the last few of the fraction.
  if (alone.type == ElementType::kFloat16 || alone.type == ElementType::kBfloat16) {
    for (size_t i = 0; i < elements; ++i) {
      int16_t x;
      int16_t y;
      std::memcpy(&x, ours + 2 * i, 2);
      std::memcpy(&y, alone.data + 2 * i, 2);
      if (std::abs(x - y) > 4) return false;
    }
    return true;
  }
  return bytes == 0 || std::memcmp(ours, alone.data, bytes) == 0;
}

std::string StaticDimension(const std::vector<TensorSpec>& specs, const char* kind) {
  for (const TensorSpec& spec : specs) {
    if (!spec.dims.empty() && spec.dims[0] == -1) continue;
    return std::string("Dimension 0 of ") + kind + " '" + spec.name + "' is not dynamic";
  }
  return {};
}

}  // namespace

Batchability ProbeBatching(const Signature& signature, Executor& executor) {
  if (signature.inputs.empty()) return {false, "The model has no inputs"};
  std::string fixed = StaticDimension(signature.inputs, "input");
  if (fixed.empty()) fixed = StaticDimension(signature.outputs, "output");
  if (!fixed.empty()) return {false, fixed};

  Samples samples;
  if (const Status status = Samples::Make(signature, 2, samples); !status.ok()) {
    return {false, status.message()};
  }
  const std::unique_ptr<RunHandle> handle = executor.NewHandle();
  OutputRef pair;
  OutputRef alone[2];
  Status status = executor.Run(samples.Rows(0, 2), *handle, pair);
  for (size_t row = 0; status.ok() && row < 2; ++row) {
    status = executor.Run(samples.Rows(row, 1), *handle, alone[row]);
  }
  if (!status.ok()) {
    return {false, "The load-time probe could not run the model on made-up rows: declare maxRows to "
                   "batch anyway"};
  }
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const TensorView& together = pair->tensors[i];
    const bool same = together.shape.rank > 0 && together.shape.dims[0] == 2 &&
                      SameRow(together, 0, alone[0]->tensors[i]) &&
                      SameRow(together, 1, alone[1]->tensors[i]);
    if (!same) {
      return {false, "Output '" + signature.outputs[i].name +
                         "' of two rows together differs from their outputs alone"};
    }
  }
  return {true, ""};
}

}  // namespace millrace
