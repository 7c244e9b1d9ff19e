// The names of element types in the Open Inference Protocol.
#pragma once

#include <string_view>

#include "batching/tensor.h"

namespace millrace {

// Returns the name of a type, such as "FP32" for kFloat32 and "BYTES" for kString, or "" for kUndefined.
const char* DatatypeName(ElementType type) noexcept;

// Returns the type with this name, or kUndefined if there is none.
ElementType DatatypeFromName(std::string_view name) noexcept;

}  // namespace millrace
