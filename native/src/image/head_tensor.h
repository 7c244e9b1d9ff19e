// Outputs of a model for one image, and where the image lies in the canvas that the model saw.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "batching/status.h"
#include "image/image_size.h"

namespace millrace {

// An output without the dimension of rows. The elements must not change while a function reads them; if they do, results are
// arbitrary, but memory safe.
struct HeadTensor {
  std::span<const float> data;
  std::vector<size_t> dims;
};

// Where an image lies in a canvas: x of the canvas is x of the image × scale_x + left. All edges of pixels are whole numbers.
struct CanvasGeometry {
  double left = 0;
  double top = 0;
  double scale_x = 1;
  double scale_y = 1;
  size_t canvas_width = 0;
  size_t canvas_height = 0;
  size_t width = 0;
  size_t height = 0;
};

// Left, top, right and bottom.
using Corners = std::array<float, 4>;

inline std::string DescribeDims(std::span<const size_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i != 0) text += ", ";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

// Returns kInvalidArgument unless the tensor has `rank` dimensions whose product is the number of its elements. `name` is how
// the message calls it.
inline Status CheckTensor(const HeadTensor& tensor, size_t rank, const char* name) {
  size_t elements = 1;
  bool fits = tensor.dims.size() == rank;
  for (size_t i = 0; fits && i < rank; ++i) {
    fits = !__builtin_mul_overflow(elements, tensor.dims[i], &elements);
  }
  if (fits && elements == tensor.data.size()) return {};
  return {Code::kInvalidArgument, std::string("The output of ") + name + " has the shape " + DescribeDims(tensor.dims) + " and " +
                                      std::to_string(tensor.data.size()) + " elements: expected " + std::to_string(rank) +
                                      " dimensions, whose product is the number of elements"};
}

// Returns kInvalidArgument for a tensor whose dimension `axis` has another size than `size`.
inline Status CheckDim(const HeadTensor& tensor, size_t axis, size_t size, const char* name) {
  if (tensor.dims[axis] == size) return {};
  return {Code::kInvalidArgument, std::string("The output of ") + name + " has the shape " + DescribeDims(tensor.dims) +
                                      ": expected " + std::to_string(size) + " in dimension " + std::to_string(axis)};
}

// Returns kInvalidArgument for a geometry that no image has.
inline Status CheckGeometry(const CanvasGeometry& geometry) {
  const auto is_size = [](size_t width, size_t height) {
    return width >= 1 && height >= 1 && width <= kMaxImageSide && height <= kMaxImageSide &&
           width * height <= kMaxImagePixels;
  };
  const auto is_place = [](double number) { return std::abs(number) <= 1e9; };
  const auto is_scale = [](double number) { return number >= 1e-6 && number <= 1e6; };
  if (!is_size(geometry.width, geometry.height) || !is_size(geometry.canvas_width, geometry.canvas_height)) {
    return {Code::kInvalidArgument,
            "The image and the canvas need sides of 1 to 65535 pixels, and at most 268435456 pixels"};
  }
  if (!is_place(geometry.left) || !is_place(geometry.top) || !is_scale(geometry.scale_x) || !is_scale(geometry.scale_y)) {
    return {Code::kInvalidArgument,
            "The place of the image in the canvas is not valid: expected finite numbers, and scales from 1e-6 to 1e6"};
  }
  return {};
}

// Returns corners of the canvas in pixels of the image, which may lie outside of it.
inline Corners ToImage(const Corners& corners, const CanvasGeometry& geometry) noexcept {
  const auto x = [&](float value) { return static_cast<float>((value - geometry.left) / geometry.scale_x); };
  const auto y = [&](float value) { return static_cast<float>((value - geometry.top) / geometry.scale_y); };
  return {x(corners[0]), y(corners[1]), x(corners[2]), y(corners[3])};
}

// Returns the part of a box that lies in the image.
inline Corners ClipToImage(const Corners& corners, const CanvasGeometry& geometry) noexcept {
  const auto width = static_cast<float>(geometry.width);
  const auto height = static_cast<float>(geometry.height);
  return {std::clamp(corners[0], 0.0f, width), std::clamp(corners[1], 0.0f, height),
          std::clamp(corners[2], 0.0f, width), std::clamp(corners[3], 0.0f, height)};
}

}  // namespace millrace
