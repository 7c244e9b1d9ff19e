// Element types by the names the Open Inference Protocol has for them.
#pragma once

#include <string_view>

#include "batching/tensor.h"

namespace millrace {

// "FP32" for kFloat32 and so on, "BYTES" for kString; "" for types without one.
const char* DatatypeName(ElementType type) noexcept;

// kUndefined if no type has that name.
ElementType DatatypeFromName(std::string_view name) noexcept;

}  // namespace millrace
