// In which steps the inputs of several requests reach their places in a device's batch buffer.
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
    // The device copies `bytes` to `offset` of its buffer: from `source`, or, if that is null, from
    // the same offset of the staging memory.
    kUpload,
    // The device clears `bytes` from `offset` on: rows that nobody asked for.
    kClear,
  };
  Kind kind;
  size_t offset;
  size_t bytes;
  const std::byte* source = nullptr;

  bool operator==(const CopyStep&) const = default;
};

// The steps for input `input` of `parts`, into a buffer of `capacity` bytes. `pinned` tells which
// memory the device can read by itself: large parts in it are not touched by the CPU. Neighbours that
// are gathered are uploaded together, as soon as the last of them is there, so that the device copies
// one stretch while the CPU gathers the next.
std::vector<CopyStep> PlanCopies(std::span<const Part> parts, size_t input, size_t capacity,
                                 const std::function<bool(const TensorView&)>& pinned);

}  // namespace millrace
