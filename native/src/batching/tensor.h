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

// The numbers are those of ONNX's TensorProto.DataType, so that no conversion is needed.
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

// Returns the bytes of an element, or 0 for strings, whose size varies, and for kUndefined.
size_t ElementSize(ElementType type) noexcept;

constexpr bool IsFloatingPoint(ElementType type) noexcept {
  return type == ElementType::kFloat32 || type == ElementType::kFloat64 ||
         type == ElementType::kFloat16 || type == ElementType::kBfloat16;
}

// Returns the name in the public API, such as "float32", or "" for kUndefined.
const char* ElementName(ElementType type) noexcept;

inline constexpr size_t kMaxRank = 16;

// Up to kMaxRank dimensions, which are stored inline so that a request needs no allocation for them.
struct Shape {
  uint8_t rank = 0;
  std::array<int64_t, kMaxRank> dims{};

  std::span<const int64_t> view() const noexcept { return {dims.data(), rank}; }
  bool operator==(const Shape& other) const noexcept;

  // Returns the product of the dimensions from `first_axis` on, or nothing if one is negative or the product does not
  // fit into an int64.
  std::optional<int64_t> Elements(size_t first_axis = 0) const noexcept;
};

// Returns the dimensions as they are written in messages, such as "[1,-1,4]".
std::string DescribeShape(std::span<const int64_t> dims);

// An input or output as a model declares it. Dynamic dimensions are -1; `symbols` has their names.
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

// A view of a tensor in memory of another owner. Strings are in `strings`, other elements in `data`.
struct TensorView {
  ElementType type = ElementType::kUndefined;
  Shape shape;
  const std::byte* data = nullptr;
  size_t bytes = 0;
  const std::string* strings = nullptr;
};

}  // namespace millrace
