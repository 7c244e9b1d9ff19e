// The steps that copy the inputs of several requests into the device's buffer.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "batching/staged.h"

namespace millrace {

struct CopyStep {
  enum class Kind : uint8_t {
    // The CPU copies `source` to `offset` of the staging memory.
    kGather,
    // The device copies `bytes` to `offset` of its buffer, from `source` or, if that is null, from the same offset of
    // the staging memory.
    kUpload,
    // The device clears `bytes` from `offset` on, which are the rows that fill up the device shape.
    kClear,
  };
  Kind kind;
  size_t offset;
  size_t bytes;
  const std::byte* source = nullptr;

  bool operator==(const CopyStep&) const = default;
};

// Returns the steps for input `input` of `parts`, into a buffer of `capacity` bytes. `pinned` returns whether the
// device can read memory without the CPU; large parts in such memory are uploaded from there and not gathered. Adjacent
// parts that are gathered are uploaded together, as soon as the last of them has been gathered, so that the device
// copies one range while the CPU gathers the next.
std::vector<CopyStep> PlanCopies(std::span<const Part> parts, size_t input, size_t capacity,
                                 const std::function<bool(const TensorView&)>& pinned);

}  // namespace millrace
