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
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The words of an image of 4 × 3 pixels in the middle of a canvas of 6 × 5.
std::vector<double> Words(size_t channels, CanvasLayout layout) {
  std::vector<double> words = {4, 3, 3, 4, 3, 2, 6, 5, 1, 1, static_cast<double>(layout),
                               static_cast<double>(channels), 0, 1};
  words.insert(words.end(), channels, 0);
  words.insert(words.end(), channels, 0);
  words.insert(words.end(), channels, 1);
  return words;
}

TEST(ReadPlaceJob, WordsBecomeAJob) {
  const std::vector<uint8_t> data(36);
  PlaceJob job;
  std::vector<double> words = Words(3, CanvasLayout::kFloat32Chw);
  words[8] = -2;
  words[12] = 1;
  words[13] = 0.5;
  words[15] = 2;
  words[17] = 3;
  words[20] = 4;
  ASSERT_TRUE(ReadPlaceJob(words, data, job).ok());
  EXPECT_EQ(job.pixels.data, data.data());
  EXPECT_EQ(job.placement.left, -2);
  EXPECT_EQ(job.placement.filter, ResampleFilter::kBilinear);
  EXPECT_EQ(job.form.layout, CanvasLayout::kFloat32Chw);
  EXPECT_TRUE(job.form.reverse);
  EXPECT_EQ(job.form.scale, 0.5f);
  EXPECT_EQ(job.form.fill, (std::array<double, 3>{0, 2, 0}));
  EXPECT_EQ(job.form.mean, (std::array<float, 3>{3, 0, 0}));
  EXPECT_EQ(job.form.deviation, (std::array<float, 3>{4, 1, 1}));
  EXPECT_EQ(CanvasBytes(job), 6 * 5 * 3 * sizeof(float));
}

// Whatever the words are, a job that is accepted has sizes that fit its memory.
TEST(ReadPlaceJob, NoWordBringsAJobOutsideOfTheLimits) {
  const std::vector<uint8_t> data(36);
  const std::array kValues = {kNan,    kInfinity, -kInfinity, -1.0,  -0.5, 0.0, 0.5,   1.0,  2.0,   3.0,
                              4.0,     5.0,       36.0,       255.0, 256.0, 1e5, 65535.0, 65536.0, -65536.0,
                              4294967297.0, 9007199254740993.0, 1e300, -1e300, 5e-324};
  for (const CanvasLayout layout : {CanvasLayout::kUint8Hwc, CanvasLayout::kFloat32Chw, CanvasLayout::kFloat16Chw}) {
    for (const size_t channels : {1u, 3u}) {
      const std::vector<double> words = Words(channels, layout);
      for (size_t one = 0; one < words.size(); ++one) {
        for (size_t other = one; other < words.size(); ++other) {
          for (const double value : kValues) {
            std::vector<double> changed = words;
            changed[one] = changed[other] = value;
            PlaceJob job;
            const Status status = ReadPlaceJob(changed, data, job);
            if (!status.ok()) {
              ASSERT_EQ(status.code(), Code::kInvalidArgument);
              ASSERT_FALSE(status.message().empty());
              continue;
            }
            const auto& [pixels, placement, form] = job;
            ASSERT_EQ(pixels.width * pixels.height * pixels.channels, data.size());
            for (const size_t side : {placement.width, placement.height, placement.canvas_width,
                                      placement.canvas_height}) {
              ASSERT_TRUE(side >= 1 && side <= kMaxSide);
            }
            ASSERT_LE(std::abs(placement.left), static_cast<ptrdiff_t>(kMaxSide));
            ASSERT_LE(std::abs(placement.top), static_cast<ptrdiff_t>(kMaxSide));
            ASSERT_LE(static_cast<int>(placement.filter), static_cast<int>(ResampleFilter::kHamming));
            ASSERT_LE(static_cast<int>(form.layout), static_cast<int>(CanvasLayout::kFloat16Chw));
            ASSERT_TRUE(form.channels == 1 || form.channels == 3);
            ASSERT_LE(CanvasBytes(job), kMaxCanvasBytes);
          }
        }
      }
      for (size_t size = 0; size < words.size() + 3; ++size) {
        std::vector<double> cut = words;
        cut.resize(size, 1);
        PlaceJob job;
        ASSERT_EQ(ReadPlaceJob(cut, data, job).ok(), size == words.size()) << size;
      }
    }
  }
}

TEST(ReadPlaceJob, TheLargestCanvasHasTwoGibibytes) {
  const std::vector<uint8_t> data(36);
  std::vector<double> words = Words(1, CanvasLayout::kFloat32Hwc);
  PlaceJob job;
  words[6] = 32768;
  words[7] = 16384;
  EXPECT_TRUE(ReadPlaceJob(words, data, job).ok());
  EXPECT_EQ(CanvasBytes(job), kMaxCanvasBytes);
  words[7] = 16385;
  EXPECT_FALSE(ReadPlaceJob(words, data, job).ok());
}

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
