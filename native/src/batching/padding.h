// Padding of inputs to larger tensors, and cutting of the outputs back.
#pragma once

#include <array>
#include <cstddef>

#include "batching/request.h"
#include "batching/scalar.h"
#include "batching/tensor.h"

namespace millrace {

// A tensor of shape `inner` lies at the origin of one of shape `outer`. Calls `run(inner_offset, outer_offset, count)`,
// in elements, for each run of elements that are contiguous in both, in ascending order. The shapes have the same
// rank, and `inner` fits into `outer`, whose dimension 0 is ignored.
template <class Run>
void ForEachRun(const Shape& inner, const Shape& outer, Run&& run) {
  // All dimensions after the last one in which the shapes differ are contiguous.
  size_t last = 0;
  for (size_t axis = 0; axis < inner.rank; ++axis) {
    if (inner.dims[axis] == 0) return;
    if (inner.dims[axis] != outer.dims[axis]) last = axis;
  }
  std::array<size_t, kMaxRank> stride{};
  size_t size = 1;
  size_t length = 1;
  for (size_t axis = inner.rank; axis-- > 0;) {
    stride[axis] = size;
    size *= static_cast<size_t>(outer.dims[axis]);
    if (axis >= last) length *= static_cast<size_t>(inner.dims[axis]);
  }
  std::array<int64_t, kMaxRank> at{};
  size_t outer_offset = 0;
  for (size_t inner_offset = 0;; inner_offset += length) {
    run(inner_offset, outer_offset, length);
    size_t axis = last;
    for (; axis > 0; --axis) {
      outer_offset += stride[axis - 1];
      if (++at[axis - 1] < inner.dims[axis - 1]) break;
      outer_offset -= stride[axis - 1] * static_cast<size_t>(inner.dims[axis - 1]);
      at[axis - 1] = 0;
    }
    if (axis == 0) return;
  }
}

// Writes `part` to `target` as a tensor of shape `padded`, and fills the rest with `pad`.
void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::byte* target);
void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::string* target);

// The part of an output that belongs to a request. `view` has the shape of the part and starts at its first element;
// the elements lie in a tensor of the shape `outer`, so that there may be others between them.
struct Slice {
  TensorView view;
  const Shape* outer = nullptr;
};

// Returns the part of output `index` that belongs to the request.
Slice OwnSlice(const Request& request, size_t index) noexcept;

// Writes the elements of a slice, which are not strings, one after another: `slice.view.bytes` bytes.
void CopyOut(const Slice& slice, std::byte* target) noexcept;

}  // namespace millrace
