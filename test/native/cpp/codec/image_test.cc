#include "codec/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace millrace {
namespace {

std::vector<float> Planes(const std::vector<uint8_t>& pixels, size_t height, size_t width, const PixelMap& map) {
  std::vector<float> planes(pixels.size(), std::nanf(""));
  MapPixels(pixels.data(), height, width, map, planes.data());
  return planes;
}

PixelMap Identity(size_t channels) {
  PixelMap map;
  map.channels = channels;
  for (size_t c = 0; c < channels; ++c) {
    map.gain[c] = 1;
    map.source[c] = static_cast<uint8_t>(c);
  }
  return map;
}

TEST(MapPixels, PixelsBecomePlanes) {
  const std::vector<uint8_t> pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_EQ(Planes(pixels, 2, 2, Identity(3)), (std::vector<float>{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}));
  EXPECT_EQ(Planes(pixels, 3, 1, Identity(4)), (std::vector<float>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12}));
  EXPECT_EQ(Planes(pixels, 2, 3, Identity(2)), (std::vector<float>{1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12}));
  EXPECT_EQ(Planes({0, 128, 255}, 1, 3, Identity(1)), (std::vector<float>{0, 128, 255}));
  EXPECT_EQ(Planes({}, 0, 7, Identity(3)), std::vector<float>{});
}

// Sizes around those that vector code handles at once, and around its strip.
TEST(MapPixels, EverySizeAndChannelCountIsMappedElementByElement) {
  std::mt19937 random(1);
  for (const size_t width : {1u, 2u, 7u, 8u, 15u, 16u, 17u, 31u, 33u, 63u, 65u, 511u, 512u, 513u, 1025u}) {
    for (size_t channels = 1; channels <= kMaxChannels; ++channels) {
      PixelMap map;
      map.channels = channels;
      for (size_t c = 0; c < channels; ++c) {
        map.gain[c] = static_cast<float>(c) + 0.5f;
        map.bias[c] = -static_cast<float>(c);
        map.source[c] = static_cast<uint8_t>((c + 1) % channels);
      }
      constexpr size_t kHeight = 3;
      std::vector<uint8_t> pixels(kHeight * width * channels);
      for (uint8_t& byte : pixels) byte = static_cast<uint8_t>(random());
      const std::vector<float> planes = Planes(pixels, kHeight, width, map);
      for (size_t c = 0; c < channels; ++c) {
        for (size_t i = 0; i < kHeight * width; ++i) {
          const auto byte = static_cast<float>(pixels[i * channels + map.source[c]]);
          // All of these are exact in a float, fused or not.
          ASSERT_EQ(planes[c * kHeight * width + i], byte * map.gain[c] + map.bias[c])
              << channels << " channels, width " << width << ", plane " << c << ", pixel " << i;
        }
      }
    }
  }
}

TEST(NormalizingMap, IsTheFormulaOfTrainingCode) {
  const float mean[] = {0.485f, 0.456f, 0.406f};
  const float deviation[] = {0.229f, 0.224f, 0.225f};
  const float scale = 1.0f / 255;
  const std::vector<uint8_t> pixel = {10, 128, 255};
  const auto planes = Planes(pixel, 1, 1, NormalizingMap(scale, mean, deviation, false));
  const auto swapped = Planes(pixel, 1, 1, NormalizingMap(scale, mean, deviation, true));
  for (size_t c = 0; c < 3; ++c) {
    const auto expected = [&](double byte) {
      return (byte * double{scale} - double{mean[c]}) / double{deviation[c]};
    };
    EXPECT_NEAR(planes[c], expected(pixel[c]), 1e-6);
    EXPECT_NEAR(swapped[c], expected(pixel[2 - c]), 1e-6);
  }
}

TEST(NormalizingMap, HasAChannelForEachMeanAndAtMostFour) {
  const float many[] = {1, 2, 3, 4, 5};
  EXPECT_EQ(NormalizingMap(1, {many, 1}, {many, 1}, true).channels, 1u);
  EXPECT_EQ(NormalizingMap(1, {many, 1}, {many, 1}, true).source[0], 0);
  EXPECT_EQ(NormalizingMap(1, {many, 2}, {many, 5}, false).channels, 2u);
  EXPECT_EQ(NormalizingMap(1, many, many, false).channels, kMaxChannels);
  // With an alpha channel, red and blue still swap.
  EXPECT_EQ(NormalizingMap(1, {many, 4}, {many, 4}, true).source, (std::array<uint8_t, 4>{2, 1, 0, 3}));
}

}  // namespace
}  // namespace millrace
