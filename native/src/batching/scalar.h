// Single values whose element type is known only later: what inputs are padded with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// A number, a whole number too large for a double, or a text.
using Scalar = std::variant<double, int64_t, uint64_t, std::string>;

// One element as a tensor holds it. The default is 0, false or the empty text, whatever the type.
struct Element {
  std::array<std::byte, 8> bytes{};
  std::string text;

  bool operator==(const Element&) const = default;
};

// kInvalidArgument, with a sentence that goes on from "the value", if `type` cannot hold it.
Status Encode(const Scalar& scalar, ElementType type, Element& element);

// Writes `count` elements that are `size` bytes each.
void Fill(std::byte* target, size_t count, const Element& element, size_t size) noexcept;

}  // namespace millrace
