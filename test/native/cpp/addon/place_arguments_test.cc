#include "addon/place_arguments.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
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
              ASSERT_TRUE(side >= 1 && side <= kMaxImageSide);
            }
            ASSERT_LE(std::abs(placement.left), static_cast<ptrdiff_t>(kMaxImageSide));
            ASSERT_LE(std::abs(placement.top), static_cast<ptrdiff_t>(kMaxImageSide));
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

}  // namespace
}  // namespace millrace
