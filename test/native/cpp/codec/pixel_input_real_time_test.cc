// How long the pixels of an image take to become planes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "batching/clock.h"
#include "codec/pixel_input.h"
#include "support/executors.h"

namespace millrace {
namespace {

TEST(RealTime, AnImageTakesAFractionOfALoopOverThePixels) {
  constexpr size_t kSide = 224;
  TensorSpec spec{"image", ElementType::kFloat32, {-1, 3, -1, -1}, {"N", "", "height", "width"}};
  const PixelForm form{"image", 1.0F / 255, {0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}};
  std::unique_ptr<const InputMap> map;
  ASSERT_TRUE(MakePixelInput(form, spec, map).ok());
  const std::vector<uint8_t> pixels(kSide * kSide * 3, 100);
  std::vector<float> planes(pixels.size());
  TensorView part{ElementType::kUint8, test::MakeShape({1, kSide, kSide, 3}),
                  reinterpret_cast<const std::byte*>(pixels.data()), pixels.size(), nullptr};
  const SteadyClock clock;
  Nanos best = kNever;
  for (int i = 0; i < 50; ++i) {
    const Nanos began = clock.Now();
    map->Map(part, reinterpret_cast<std::byte*>(planes.data()));
    best = std::min(best, clock.Now() - began);
  }
  std::printf("an image of %zu x %zu: %.1f us\n", kSide, kSide, static_cast<double>(best) * 1e-3);
  // A loop in JavaScript takes about 400 us.
  EXPECT_LT(best, 400'000);
}

}  // namespace
}  // namespace millrace
