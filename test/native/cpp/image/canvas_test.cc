#include "image/canvas.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace millrace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The element of a canvas, computed from the resized image by itself.
double Expected(const PlaceJob& job, const std::vector<uint8_t>& resized, size_t channels, size_t x, size_t y,
                size_t c) {
  const auto& [pixels, placement, form] = job;
  const ptrdiff_t column = static_cast<ptrdiff_t>(x) - placement.left;
  const ptrdiff_t row = static_cast<ptrdiff_t>(y) - placement.top;
  if (column < 0 || row < 0 || column >= static_cast<ptrdiff_t>(placement.width) ||
      row >= static_cast<ptrdiff_t>(placement.height)) {
    return form.fill[c];
  }
  const size_t source = channels == 1 ? 0 : form.reverse ? 2 - c : c;
  const double byte =
      resized[(static_cast<size_t>(row) * placement.width + static_cast<size_t>(column)) * channels + source];
  if (form.layout == CanvasLayout::kUint8Hwc || form.layout == CanvasLayout::kUint8Chw) return byte;
  return (byte * double{form.scale} - double{form.mean[c]}) / double{form.deviation[c]};
}

TEST(Place, EveryElementIsThatOfTheResizedImageOrTheFill) {
  std::mt19937 random(1);
  const auto side = [&] { return 1 + random() % 20; };
  for (int i = 0; i < 3000; ++i) {
    PlaceJob job;
    auto& [pixels, placement, form] = job;
    pixels = {nullptr, side(), side(), random() % 2 == 0 ? 1u : 3u};
    std::vector<uint8_t> data(pixels.width * pixels.height * pixels.channels);
    for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
    pixels.data = data.data();
    placement = {side(), side(), static_cast<ResampleFilter>(random() % 6), side(), side(),
                 static_cast<ptrdiff_t>(random() % 40) - 20, static_cast<ptrdiff_t>(random() % 40) - 20};
    form.layout = static_cast<CanvasLayout>(random() % 4);
    form.channels = random() % 2 == 0 ? 1 : 3;
    form.reverse = random() % 2 == 0;
    form.fill = {static_cast<double>(random() % 256), static_cast<double>(random() % 256), 7};
    form.scale = 1 / 255.f;
    form.mean = {0.5f, 0.4f, 0.3f};
    form.deviation = {0.25f, 0.2f, 0.3f};

    std::vector<uint8_t> source = data;
    size_t channels = pixels.channels;
    if (channels == 3 && form.channels == 1) {
      channels = 1;
      source.resize(pixels.width * pixels.height);
      for (size_t j = 0; j < source.size(); ++j) {
        const double grey = data[j * 3] * 19595.0 + data[j * 3 + 1] * 38470.0 + data[j * 3 + 2] * 7471.0;
        source[j] = static_cast<uint8_t>(std::floor(grey / 65536 + 0.5));
      }
    }
    std::vector<uint8_t> resized(placement.width * placement.height * channels);
    Resample({source.data(), pixels.width, pixels.height, channels}, placement.width, placement.height,
             placement.filter, {0, 0, placement.width, placement.height}, resized.data(),
             placement.width * channels);

    std::vector<float> canvas(CanvasBytes(job) / sizeof(float) + 1, kNan);
    Place(job, reinterpret_cast<std::byte*>(canvas.data()));
    const bool floats = form.layout == CanvasLayout::kFloat32Hwc || form.layout == CanvasLayout::kFloat32Chw;
    const bool planes = form.layout == CanvasLayout::kUint8Chw || form.layout == CanvasLayout::kFloat32Chw;
    for (size_t y = 0; y < placement.canvas_height; ++y) {
      for (size_t x = 0; x < placement.canvas_width; ++x) {
        for (size_t c = 0; c < form.channels; ++c) {
          const size_t pixel = y * placement.canvas_width + x;
          const size_t index = planes ? c * placement.canvas_width * placement.canvas_height + pixel
                                      : pixel * form.channels + c;
          const double found =
              floats ? canvas[index] : reinterpret_cast<const uint8_t*>(canvas.data())[index];
          ASSERT_NEAR(found, Expected(job, resized, channels, x, y, c), floats ? 1e-5 : 0)
              << "at (" << x << ", " << y << "), channel " << c << ", layout " << static_cast<int>(form.layout);
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace
