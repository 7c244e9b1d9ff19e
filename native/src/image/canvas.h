// Lays images on canvases, which become inputs of models.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "batching/status.h"
#include "image/resample.h"

namespace millrace {

// The order of the elements of a canvas and their type, with the numbers of native/images.ts.
enum class CanvasLayout : uint8_t {
  kUint8Hwc,
  kUint8Chw,
  kFloat32Hwc,
  kFloat32Chw,
  kFloat16Hwc,
  kFloat16Chw,
};

// The most bytes of a canvas.
inline constexpr size_t kMaxCanvasBytes = size_t{1} << 31;

// Where an image comes to lie: it is resized to `width` × `height`, and its left upper corner is then at (left, top) of
// the canvas, which cuts off what is outside of it.
struct ImagePlacement {
  size_t width = 0;
  size_t height = 0;
  ResampleFilter filter = ResampleFilter::kBilinear;
  size_t canvas_width = 0;
  size_t canvas_height = 0;
  ptrdiff_t left = 0;
  ptrdiff_t top = 0;
};

// What the pixels of a canvas become. The arrays have an element for each channel of the canvas.
struct CanvasForm {
  CanvasLayout layout = CanvasLayout::kUint8Hwc;
  size_t channels = 0;  // 1 or 3
  // Whether the first and the third channel are swapped.
  bool reverse = false;
  // What the canvas holds beside the image: bytes, or floats after the normalisation.
  std::array<double, 3> fill{};
  // Floats are (byte × scale − mean[c]) / deviation[c], in the arithmetic of NormalizingMap; those of 16 bits are rounded to even.
  float scale = 1;
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{1, 1, 1};
};

struct PlaceJob {
  PixelView pixels;
  ImagePlacement placement;
  CanvasForm form;
};

// Returns the bytes of the canvas of a job that has been checked.
size_t CanvasBytes(const PlaceJob& job) noexcept;

// Computes the canvas of a job that has been checked, and writes CanvasBytes(job) bytes to `canvas`, which is aligned
// for floats. RGB pixels become grey before they are resized, by the formula of ITU-R 601 with the 16-bit weights of
// Pillow. Throws std::bad_alloc. Thread-safe.
void Place(const PlaceJob& job, std::byte* canvas);

}  // namespace millrace
