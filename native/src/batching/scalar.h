// Values that inputs are padded with, whose element type is known only later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// A number, an integer that may be too large for a double, or a string.
using Scalar = std::variant<double, int64_t, uint64_t, std::string>;

// One element of a tensor of any type. The default is 0, false or the empty string.
struct Element {
  std::array<std::byte, 8> bytes{};
  std::string text;

  bool operator==(const Element&) const = default;
};

// Converts the value to an element of `type`. Returns kInvalidArgument if it does not fit, with a message that continues
// "the value".
Status Encode(const Scalar& scalar, ElementType type, Element& element);

// Writes `count` elements that are `size` bytes each.
void Fill(std::byte* target, size_t count, const Element& element, size_t size) noexcept;

}  // namespace millrace
