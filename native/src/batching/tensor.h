// Element types, shapes and non-owning views of dense row-major tensors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

// Values are ONNX's TensorProto.DataType, so that no translation table is needed.
enum class ElementType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

// Bytes of one element; 0 for strings, whose size varies, and for types without a JavaScript form.
size_t ElementSize(ElementType type) noexcept;

constexpr bool IsFloatingPoint(ElementType type) noexcept {
  return type == ElementType::kFloat32 || type == ElementType::kFloat64 ||
         type == ElementType::kFloat16 || type == ElementType::kBfloat16;
}

// Name used in the public API, such as "float32"; "" for types without a JavaScript form.
const char* ElementName(ElementType type) noexcept;

inline constexpr size_t kMaxRank = 16;

// Up to kMaxRank dimensions, stored inline so that a request needs no allocation for them.
struct Shape {
  uint8_t rank = 0;
  std::array<int64_t, kMaxRank> dims{};

  std::span<const int64_t> view() const noexcept { return {dims.data(), rank}; }
  bool operator==(const Shape& other) const noexcept;

  // Product of the dimensions from `first_axis` on. Empty if one is negative or the product
  // does not fit an int64.
  std::optional<int64_t> Elements(size_t first_axis = 0) const noexcept;
};

// What a model declares for one input or output. Dynamic dimensions are -1 and keep their symbol.
struct TensorSpec {
  std::string name;
  ElementType type = ElementType::kUndefined;
  std::vector<int64_t> dims;
  std::vector<std::string> symbols;
};

struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// Memory somebody else owns. Strings live in `strings`, everything else in `data`.
struct TensorView {
  ElementType type = ElementType::kUndefined;
  Shape shape;
  const std::byte* data = nullptr;
  size_t bytes = 0;
  const std::string* strings = nullptr;
};

}  // namespace millrace
