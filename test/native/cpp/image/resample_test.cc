#include "image/resample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

namespace millrace {
namespace {

constexpr std::array kFilters = {ResampleFilter::kNearest, ResampleFilter::kLanczos, ResampleFilter::kBilinear,
                                 ResampleFilter::kBicubic, ResampleFilter::kBox,     ResampleFilter::kHamming};

struct Image {
  size_t width;
  size_t height;
  size_t channels;
  std::vector<uint8_t> bytes;

  PixelView view() const { return {bytes.data(), width, height, channels}; }
};

Image Noise(size_t width, size_t height, size_t channels, std::mt19937& random, int least = 0, int most = 255) {
  Image image = {width, height, channels, std::vector<uint8_t>(width * height * channels)};
  for (uint8_t& byte : image.bytes) {
    byte = static_cast<uint8_t>(std::uniform_int_distribution<int>(least, most)(random));
  }
  return image;
}

std::vector<uint8_t> Resized(const Image& image, size_t width, size_t height, ResampleFilter filter,
                             const ResamplePasses& passes = BestPasses()) {
  std::vector<uint8_t> out(width * height * image.channels, 77);
  Resample(image.view(), width, height, filter, {0, 0, width, height}, out.data(), width * image.channels, passes);
  return out;
}

// A side as images have it, with those around the vectors and groups of the loops among them.
size_t Side(std::mt19937& random) {
  const size_t most = std::array<size_t, 4>{2, 9, 40, 130}[random() % 4];
  return 1 + random() % most;
}

TEST(Resample, AConstantImageStaysConstant) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const size_t channels = random() % 2 == 0 ? 1 : 3;
    const auto byte = static_cast<uint8_t>(std::array{0, 255, 1, 128}[random() % 4]);
    Image image = Noise(Side(random), Side(random), channels, random, byte, byte);
    const size_t width = Side(random);
    const size_t height = Side(random);
    for (const ResampleFilter filter : kFilters) {
      const std::vector<uint8_t> out = Resized(image, width, height, filter);
      ASSERT_EQ(out, std::vector<uint8_t>(out.size(), byte))
          << image.width << " × " << image.height << " to " << width << " × " << height << ", filter "
          << static_cast<int>(filter);
    }
  }
}

TEST(Resample, TheLongestSidesAreResizedInLittleMemory) {
  std::mt19937 random(2);
  for (const auto& [width, height] : {std::pair<size_t, size_t>{kMaxImageSide, 1}, {1, kMaxImageSide}}) {
    const Image image = Noise(width, height, 3, random, 200, 200);
    for (const ResampleFilter filter : kFilters) {
      EXPECT_EQ(Resized(image, 1, 1, filter), std::vector<uint8_t>(3, 200));
      EXPECT_EQ(Resized(image, height, 2, filter), std::vector<uint8_t>(height * 6, 200));
      EXPECT_EQ(Resized(image, 2, width, filter), std::vector<uint8_t>(width * 6, 200));
    }
  }
}

// The images end with their memory, so that the address sanitizer sees what is read beyond it.
TEST(Resample, VectorInstructionsGiveTheSameBytes) {
  if (VectorPasses() == nullptr) GTEST_SKIP() << "This processor has no AVX2";
  std::mt19937 random(3);
  for (int i = 0; i < 1500; ++i) {
    const Image image = Noise(Side(random), Side(random), random() % 2 == 0 ? 1 : 3, random);
    const size_t width = Side(random);
    const size_t height = Side(random);
    for (const ResampleFilter filter : kFilters) {
      ASSERT_EQ(Resized(image, width, height, filter, *VectorPasses()),
                Resized(image, width, height, filter, BaselinePasses()))
          << image.width << " × " << image.height << " × " << image.channels << " to " << width << " × " << height
          << ", filter " << static_cast<int>(filter);
    }
  }
}

TEST(Resample, AWindowIsAPartOfTheWholeAndNothingElseIsWritten) {
  constexpr uint8_t kUntouched = 123;
  std::mt19937 random(4);
  for (int i = 0; i < 500; ++i) {
    const Image image = Noise(Side(random), Side(random), random() % 2 == 0 ? 1 : 3, random);
    const size_t channels = image.channels;
    const size_t width = Side(random);
    const size_t height = Side(random);
    PixelWindow window = {random() % width, random() % height, 0, 0};
    window.width = 1 + random() % (width - window.left);
    window.height = 1 + random() % (height - window.top);
    const size_t stride = (window.width + 2) * channels;
    for (const ResampleFilter filter : kFilters) {
      const std::vector<uint8_t> whole = Resized(image, width, height, filter);
      std::vector<uint8_t> expected((window.height + 2) * stride, kUntouched);
      std::vector<uint8_t> out = expected;
      for (size_t y = 0; y < window.height; ++y) {
        std::copy_n(whole.data() + ((window.top + y) * width + window.left) * channels, window.width * channels,
                    expected.data() + (y + 1) * stride + channels);
      }
      Resample(image.view(), width, height, filter, window, out.data() + stride + channels, stride);
      ASSERT_EQ(out, expected) << image.width << " × " << image.height << " × " << channels << " to " << width
                               << " × " << height << ", filter " << static_cast<int>(filter);
    }
  }
}

TEST(Resample, OnlyTheNeededRowsAreUsed) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    Image image = Noise(Side(random), Side(random), 1, random);
    const size_t width = Side(random);
    const size_t height = Side(random);
    const size_t top = random() % height;
    const PixelWindow window = {0, top, width, 1 + random() % (height - top)};
    for (const ResampleFilter filter : kFilters) {
      std::vector<uint8_t> before(window.height * width);
      Resample(image.view(), width, height, filter, window, before.data(), width);
      const PixelRange rows = NeededPixels(image.height, height, filter, top, window.height);
      ASSERT_LE(rows.first + rows.count, image.height);
      Image other = image;
      for (size_t j = 0; j < other.bytes.size(); ++j) {
        const size_t y = j / other.width;
        if (y < rows.first || y >= rows.first + rows.count) other.bytes[j] ^= 0x55;
      }
      std::vector<uint8_t> after(before.size());
      Resample(other.view(), width, height, filter, window, after.data(), width);
      ASSERT_EQ(after, before);
    }
  }
}

// The filters as their definitions have them, in terms of the distance in new pixels.
double Weight(ResampleFilter filter, double x) {
  constexpr double kPi = std::numbers::pi;
  const double d = std::abs(x);
  const auto sinc = [](double t) { return t == 0 ? 1 : std::sin(kPi * t) / (kPi * t); };
  switch (filter) {
    case ResampleFilter::kBox:
      return x > -0.5 && x <= 0.5;
    case ResampleFilter::kBilinear:
      return std::max(0.0, 1 - d);
    case ResampleFilter::kHamming:
      return d < 1 ? sinc(d) * (0.54 + 0.46 * std::cos(kPi * d)) : 0;
    case ResampleFilter::kBicubic:
      if (d < 1) return 1.5 * d * d * d - 2.5 * d * d + 1;
      return d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0;
    default:
      return d < 3 ? sinc(d) * sinc(d / 3) : 0;
  }
}

// The share of each old pixel in a new one. It is empty if an old pixel lies on an edge of the box, where rounding
// decides whether it counts.
std::vector<double> Shares(size_t size, size_t new_size, size_t index, ResampleFilter filter) {
  const double scale = static_cast<double>(size) / static_cast<double>(new_size);
  std::vector<double> shares(size);
  double sum = 0;
  for (size_t i = 0; i < size; ++i) {
    const double distance = static_cast<double>(i) + 0.5 - (static_cast<double>(index) + 0.5) * scale;
    const double x = distance / std::max(scale, 1.0);
    if (filter == ResampleFilter::kBox && std::abs(std::abs(x) - 0.5) < 1e-9) return {};
    shares[i] = Weight(filter, x);
    sum += shares[i];
  }
  for (double& share : shares) share /= sum;
  return shares;
}

// Two passes round to bytes, of which the second multiplies the error of the first with the weights, whose magnitudes add
// up to less than 1.6. The bytes are in the middle of their range, so that none is clipped.
TEST(Resample, ThePixelsAreThoseOfExactArithmetic) {
  std::mt19937 random(6);
  for (int i = 0; i < 150; ++i) {
    const size_t channels = random() % 2 == 0 ? 1 : 3;
    const Image image = Noise(1 + random() % 30, 1 + random() % 30, channels, random, 88, 168);
    const size_t width = 1 + random() % 30;
    const size_t height = 1 + random() % 30;
    for (const ResampleFilter filter : kFilters) {
      if (filter == ResampleFilter::kNearest) continue;
      const std::vector<uint8_t> out = Resized(image, width, height, filter);
      for (size_t y = 0; y < height; ++y) {
        const std::vector<double> down = Shares(image.height, height, y, filter);
        for (size_t x = 0; x < width; ++x) {
          const std::vector<double> across = Shares(image.width, width, x, filter);
          if (down.empty() || across.empty()) continue;
          for (size_t c = 0; c < channels; ++c) {
            double exact = 0;
            for (size_t v = 0; v < image.height; ++v) {
              for (size_t u = 0; u < image.width; ++u) {
                exact += down[v] * across[u] * image.bytes[(v * image.width + u) * channels + c];
              }
            }
            ASSERT_NEAR(out[(y * width + x) * channels + c], exact, 1.31)
                << image.width << " × " << image.height << " to " << width << " × " << height << ", filter "
                << static_cast<int>(filter);
          }
        }
      }
    }
  }
}

TEST(Resample, NearestTakesThePixelUnderTheCentre) {
  const Image image = {4, 2, 1, {1, 2, 3, 4, 5, 6, 7, 8}};
  EXPECT_EQ(Resized(image, 2, 1, ResampleFilter::kNearest), (std::vector<uint8_t>{6, 8}));
  EXPECT_EQ(Resized(image, 3, 3, ResampleFilter::kNearest), (std::vector<uint8_t>{1, 3, 4, 5, 7, 8, 5, 7, 8}));
  EXPECT_EQ(Resized(image, 8, 1, ResampleFilter::kNearest), (std::vector<uint8_t>{5, 5, 6, 6, 7, 7, 8, 8}));
}

}  // namespace
}  // namespace millrace
