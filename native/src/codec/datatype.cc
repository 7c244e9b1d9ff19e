#include "codec/datatype.h"

#include <array>
#include <utility>

namespace millrace {
namespace {

constexpr std::array<std::pair<ElementType, const char*>, 14> kNames = {{
    {ElementType::kFloat32, "FP32"},
    {ElementType::kFloat64, "FP64"},
    {ElementType::kFloat16, "FP16"},
    {ElementType::kBfloat16, "BF16"},
    {ElementType::kInt64, "INT64"},
    {ElementType::kInt32, "INT32"},
    {ElementType::kInt16, "INT16"},
    {ElementType::kInt8, "INT8"},
    {ElementType::kUint64, "UINT64"},
    {ElementType::kUint32, "UINT32"},
    {ElementType::kUint16, "UINT16"},
    {ElementType::kUint8, "UINT8"},
    {ElementType::kBool, "BOOL"},
    {ElementType::kString, "BYTES"},
}};

}  // namespace

const char* DatatypeName(ElementType type) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == type) return name;
  }
  return "";
}

ElementType DatatypeFromName(std::string_view name) noexcept {
  for (const auto& [type, known] : kNames) {
    if (name == known) return type;
  }
  return ElementType::kUndefined;
}

}  // namespace millrace
