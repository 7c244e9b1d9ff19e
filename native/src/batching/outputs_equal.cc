#include "batching/outputs_equal.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace millrace {
namespace {

// The tolerance for float32, because kernels may add in another order in a larger batch.
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

}  // namespace

bool OutputsEqual(const TensorView& a, const TensorView& b) {
  const auto elements = static_cast<size_t>(a.shape.Elements().value_or(0));
  if (a.type == ElementType::kString) return std::equal(a.strings, a.strings + elements, b.strings);
  if (a.type == ElementType::kFloat32) return Close<float>(a.data, b.data, elements);
  if (a.type == ElementType::kFloat64) return Close<double>(a.data, b.data, elements);
  // Half precision is compared without the last bits of the fraction.
  if (a.type == ElementType::kFloat16 || a.type == ElementType::kBfloat16) {
    for (size_t i = 0; i < elements; ++i) {
      int16_t x;
      int16_t y;
      std::memcpy(&x, a.data + 2 * i, 2);
      std::memcpy(&y, b.data + 2 * i, 2);
      if (std::abs(x - y) > 4) return false;
    }
    return true;
  }
  const size_t bytes = elements * ElementSize(a.type);
  return bytes == 0 || std::memcmp(a.data, b.data, bytes) == 0;
}

}  // namespace millrace
