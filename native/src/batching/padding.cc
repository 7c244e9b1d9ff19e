#include "batching/padding.h"

#include <algorithm>
#include <cstring>

namespace millrace {
namespace {

// Walks over all elements of `padded`: calls `copy(from, to, count)` for those of the part and `fill(at, count)` for the
// others.
template <class Copy, class FillGap>
void Pad(const Shape& part, const Shape& padded, Copy&& copy, FillGap&& fill) {
  size_t written = 0;
  ForEachRun(part, padded, [&](size_t from, size_t to, size_t count) {
    fill(written, to - written);
    copy(from, to, count);
    written = to + count;
  });
  fill(written, static_cast<size_t>(padded.Elements().value_or(0)) - written);
}

}  // namespace

void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::byte* target) {
  const size_t size = ElementSize(part.type);
  Pad(
      part.shape, padded,
      [&](size_t from, size_t to, size_t count) {
        std::memcpy(target + to * size, part.data + from * size, count * size);
      },
      [&](size_t at, size_t count) { Fill(target + at * size, count, pad, size); });
}

void PadInto(const TensorView& part, const Shape& padded, const Element& pad, std::string* target) {
  Pad(
      part.shape, padded,
      [&](size_t from, size_t to, size_t count) {
        std::copy_n(part.strings + from, count, target + to);
      },
      [&](size_t at, size_t count) { std::fill_n(target + at, count, pad.text); });
}

Slice OwnSlice(const Request& request, size_t index) noexcept {
  const TensorView& whole = request.outputs->tensors[index];
  Slice slice{whole, &whole.shape};
  TensorView& view = slice.view;
  const bool cut = !request.own_shapes.empty();
  if (!request.shared && !cut) return slice;
  const size_t size = ElementSize(view.type);
  if (request.shared) {
    const auto per_row = static_cast<size_t>(view.shape.Elements(1).value_or(0));
    const auto first = static_cast<size_t>(request.first_row) * per_row;
    if (view.type == ElementType::kString) {
      view.strings += first;
    } else {
      view.data += first * size;
    }
    view.shape.dims[0] = request.rows;
  }
  if (cut) view.shape = request.own_shapes[index];
  view.bytes = static_cast<size_t>(view.shape.Elements().value_or(0)) * size;
  return slice;
}

void CopyOut(const Slice& slice, std::byte* target) noexcept {
  const size_t size = ElementSize(slice.view.type);
  ForEachRun(slice.view.shape, *slice.outer, [&](size_t to, size_t from, size_t count) {
    std::memcpy(target + to * size, slice.view.data + from * size, count * size);
  });
}

}  // namespace millrace
