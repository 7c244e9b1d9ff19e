#include "batching/probe.h"

#include <cmath>
#include <cstring>
#include <random>
#include <utility>

namespace millrace {
namespace {

constexpr int64_t kDynamicSize = 4;
constexpr int64_t kMaxProbeElements = 1 << 24;

// float32 tolerance: kernels may sum in another order when the batch is larger.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-4;

// Two rows of one input, stored one after the other.
struct Rows {
  std::vector<std::byte> bytes;
  std::vector<std::string> strings;
  Shape shape;
  size_t elements = 0;  // of one row
};

template <class T>
void Fill(Rows& rows, std::mt19937& random, auto make) {
  rows.bytes.resize(2 * rows.elements * sizeof(T));
  for (size_t i = 0; i < 2 * rows.elements; ++i) {
    const T value = static_cast<T>(make(random));
    std::memcpy(rows.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
}

void FillRandom(Rows& rows, ElementType type, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const auto real = [&normal](std::mt19937& source) { return normal(source); };
  const auto bit = [](std::mt19937& source) { return source() & 1; };
  switch (type) {
    case ElementType::kFloat32:
      return Fill<float>(rows, random, [&](auto& r) { return static_cast<float>(real(r)); });
    case ElementType::kFloat64:
      return Fill<double>(rows, random, real);
    // Bit patterns of small normal numbers: 1.0 to 1.98 in half, 1.0 to 1.5 in bfloat16.
    case ElementType::kFloat16:
      return Fill<uint16_t>(rows, random, [](auto& r) { return uint16_t(0x3c00 | (r() & 0x3f0)); });
    case ElementType::kBfloat16:
      return Fill<uint16_t>(rows, random, [](auto& r) { return uint16_t(0x3f80 | (r() & 0x3f)); });
    case ElementType::kString:
      rows.strings.resize(2 * rows.elements);
      for (std::string& text : rows.strings) text.assign(1, bit(random) ? 'a' : 'b');
      return;
    default:
      break;
  }
  switch (ElementSize(type)) {
    case 1:
      return Fill<uint8_t>(rows, random, bit);
    case 2:
      return Fill<uint16_t>(rows, random, bit);
    case 4:
      return Fill<uint32_t>(rows, random, bit);
    default:
      return Fill<uint64_t>(rows, random, bit);
  }
}

// Rows `first` to `first + count` of the made-up inputs.
std::vector<TensorView> Select(const Signature& signature, const std::vector<Rows>& all,
                               size_t first, size_t count) {
  std::vector<TensorView> views;
  for (size_t i = 0; i < all.size(); ++i) {
    TensorView view;
    view.type = signature.inputs[i].type;
    view.shape = all[i].shape;
    view.shape.dims[0] = static_cast<int64_t>(count);
    const size_t row_bytes = all[i].elements * ElementSize(view.type);
    view.data = all[i].bytes.data() + first * row_bytes;
    view.bytes = count * row_bytes;
    if (!all[i].strings.empty()) view.strings = all[i].strings.data() + first * all[i].elements;
    views.push_back(view);
  }
  return views;
}

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

  std::mt19937 random(1);
  std::vector<Rows> all(signature.inputs.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    Shape& shape = all[i].shape;
    shape.rank = static_cast<uint8_t>(spec.dims.size());
    for (size_t axis = 0; axis < spec.dims.size(); ++axis) {
      shape.dims[axis] = spec.dims[axis] == -1 ? kDynamicSize : spec.dims[axis];
    }
    const auto elements = shape.Elements(1);
    if (!elements || *elements > kMaxProbeElements) {
      return {false, "Input '" + spec.name + "' is too large to probe: declare maxRows instead"};
    }
    all[i].elements = static_cast<size_t>(*elements);
    FillRandom(all[i], spec.type, random);
  }

  const std::unique_ptr<RunHandle> handle = executor.NewHandle();
  OutputRef pair;
  OutputRef alone[2];
  Status status = executor.Run(Select(signature, all, 0, 2), *handle, pair);
  for (size_t row = 0; status.ok() && row < 2; ++row) {
    status = executor.Run(Select(signature, all, row, 1), *handle, alone[row]);
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
