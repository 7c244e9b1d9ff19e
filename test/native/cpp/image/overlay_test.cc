#include "image/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace millrace {
namespace {

constexpr std::array<uint8_t, 3> kColor = {250, 3, 99};

TEST(BlendMask, RandomMasksAreBlendedPixelByPixel) {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    const size_t width = 1 + random() % 12;
    const size_t height = 1 + random() % 12;
    const double opacity = static_cast<double>(random() % 101) / 100;
    std::vector<uint8_t> rgb(width * height * 3);
    for (uint8_t& byte : rgb) byte = static_cast<uint8_t>(random());
    std::vector<uint8_t> expected = rgb;
    std::vector<uint32_t> counts;
    bool inside = false;
    for (size_t at = 0; at < width * height; inside = !inside) {
      const size_t length = std::min<size_t>(random() % 20, width * height - at);
      counts.push_back(static_cast<uint32_t>(length));
      for (const size_t end = at + length; at < end; ++at) {
        if (!inside) continue;
        for (size_t c = 0; c < 3; ++c) {
          uint8_t& byte = expected[(at % height * width + at / height) * 3 + c];
          byte = static_cast<uint8_t>(std::lround(byte + (kColor[c] - byte) * opacity));
        }
      }
    }
    ASSERT_TRUE(BlendMask(rgb.data(), width, height, counts, kColor, opacity));
    ASSERT_EQ(rgb, expected);
  }
}

TEST(BlendMask, CountsOfAnotherSizeAreRefused) {
  std::vector<uint8_t> rgb(3 * 4 * 3);
  const auto blend = [&](const std::vector<uint32_t>& counts) {
    return BlendMask(rgb.data(), 4, 3, counts, kColor, 1);
  };
  EXPECT_TRUE(blend({12}));
  EXPECT_TRUE(blend({0, 12}));
  EXPECT_TRUE(blend({0, 0, 0, 12, 0}));
  for (const std::vector<uint32_t>& counts : std::vector<std::vector<uint32_t>>{
           {}, {11}, {13}, {0, 13}, {6, 7}, {0, UINT32_MAX}, {UINT32_MAX, 13}, {12, 1}, {2, UINT32_MAX, 2}}) {
    EXPECT_FALSE(blend(counts));
  }
}

}  // namespace
}  // namespace millrace
