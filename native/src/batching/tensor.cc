#include "batching/tensor.h"

#include <algorithm>

namespace millrace {

size_t ElementSize(ElementType type) noexcept {
  switch (type) {
    case ElementType::kUint8:
    case ElementType::kInt8:
    case ElementType::kBool:
      return 1;
    case ElementType::kUint16:
    case ElementType::kInt16:
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      return 2;
    case ElementType::kFloat32:
    case ElementType::kInt32:
    case ElementType::kUint32:
      return 4;
    case ElementType::kFloat64:
    case ElementType::kInt64:
    case ElementType::kUint64:
      return 8;
    case ElementType::kUndefined:
    case ElementType::kString:
      break;
  }
  return 0;
}

std::string DescribeShape(std::span<const int64_t> dims) {
  std::string text = "[";
  for (const int64_t size : dims) {
    if (text.size() > 1) text += ",";
    text += std::to_string(size);
  }
  return text + "]";
}

const char* ElementName(ElementType type) noexcept {
  switch (type) {
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kUint16:
      return "uint16";
    case ElementType::kInt16:
      return "int16";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kString:
      return "string";
    case ElementType::kBool:
      return "bool";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kFloat64:
      return "float64";
    case ElementType::kUint32:
      return "uint32";
    case ElementType::kUint64:
      return "uint64";
    case ElementType::kBfloat16:
      return "bfloat16";
    case ElementType::kUndefined:
      break;
  }
  return "";
}

bool Shape::operator==(const Shape& other) const noexcept {
  return std::ranges::equal(view(), other.view());
}

std::optional<int64_t> Shape::Elements(size_t first_axis) const noexcept {
  int64_t product = 1;
  for (size_t axis = first_axis; axis < rank; ++axis) {
    if (dims[axis] < 0 || __builtin_mul_overflow(product, dims[axis], &product)) return std::nullopt;
  }
  return product;
}

}  // namespace millrace
