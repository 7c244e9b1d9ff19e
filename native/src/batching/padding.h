// Tensors that lie in the corner of larger ones: padded on the way in, cut back on the way out.
#pragma once

#include <array>
#include <cstddef>

#include "batching/request.h"
#include "batching/scalar.h"
#include "batching/tensor.h"

namespace millrace {

// Calls `run(inner_offset, outer_offset, count)`, in elements, for each stretch of a tensor of shape
// `inner` that stays in one piece where it lies at the origin of one of shape `outer`; in ascending
// order. Both have the same rank, and `inner` fits in `outer`, whose dimension 0 does not matter.
template <class Run>
void ForEachRun(const Shape& inner, const Shape& outer, Run&& run) {
  // Behind the last axis along which they differ everything hangs together.
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

// Writes `part` to `target` as a tensor of shape `padded`, the rest of which is `pad`.
void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::byte* target);
void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::string* target);

// A request's share of an output: `view` has its own shape and starts at its first element; in between
// are the gaps of the tensor that it is cut from.
struct Slice {
  TensorView view;
  const Shape* outer = nullptr;  // the output's
};

// The part of output `index` that is the request's own.
Slice OwnSlice(const Request& request, size_t index) noexcept;

// Writes the elements of a slice, which are no strings, one after another: `slice.view.bytes` bytes.
void CopyOut(const Slice& slice, std::byte* target) noexcept;

}  // namespace millrace
