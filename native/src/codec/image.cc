#include "codec/image.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

// The number of pixels whose channels are separated at a time, so that the separated bytes stay in the L1 cache.
constexpr size_t kStrip = 512;

template <size_t kChannels>
[[gnu::always_inline]] inline void Map(const uint8_t* __restrict pixels, size_t count,
                                       const PixelMap& map, float* __restrict planes) noexcept {
  alignas(64) uint8_t strip[kChannels][kStrip];
  for (size_t first = 0; first < count; first += kStrip) {
    const size_t length = std::min(kStrip, count - first);
    const uint8_t* const from = pixels + first * kChannels;
    for (size_t i = 0; i < length; ++i) {
      for (size_t c = 0; c < kChannels; ++c) strip[c][i] = from[i * kChannels + c];
    }
    for (size_t c = 0; c < kChannels; ++c) {
      const uint8_t* const bytes = strip[map.source[c]];
      const float gain = map.gain[c];
      const float bias = map.bias[c];
      float* const to = planes + c * count + first;
      for (size_t i = 0; i < length; ++i) to[i] = static_cast<float>(bytes[i]) * gain + bias;
    }
  }
}

[[gnu::always_inline]] inline void MapAny(const uint8_t* pixels, size_t count, const PixelMap& map,
                                          float* planes) noexcept {
  switch (map.channels) {
    case 1:
      return Map<1>(pixels, count, map, planes);
    case 2:
      return Map<2>(pixels, count, map, planes);
    case 3:
      return Map<3>(pixels, count, map, planes);
    case 4:
      return Map<4>(pixels, count, map, planes);
    default:
      return;
  }
}

void MapBaseline(const uint8_t* pixels, size_t count, const PixelMap& map, float* planes) noexcept {
  MapAny(pixels, count, map, planes);
}

#ifdef __x86_64__
// Baseline x86-64 has no byte shuffle, without which the compiler separates the channels of one pixel at a time.
[[gnu::target("avx2")]] void MapAvx2(const uint8_t* pixels, size_t count, const PixelMap& map,
                                     float* planes) noexcept {
  MapAny(pixels, count, map, planes);
}
#endif

}  // namespace

PixelMap NormalizingMap(float scale, std::span<const float> mean, std::span<const float> deviation,
                        bool reverse) noexcept {
  PixelMap map;
  map.channels = std::min({mean.size(), deviation.size(), kMaxChannels});
  for (size_t c = 0; c < map.channels; ++c) {
    map.gain[c] = static_cast<float>(double{scale} / double{deviation[c]});
    map.bias[c] = static_cast<float>(-double{mean[c]} / double{deviation[c]});
    map.source[c] = static_cast<uint8_t>(c);
  }
  if (reverse && map.channels >= 3) std::swap(map.source[0], map.source[2]);
  return map;
}

void MapPixels(const uint8_t* pixels, size_t height, size_t width, const PixelMap& map,
               float* planes) noexcept {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) return MapAvx2(pixels, height * width, map, planes);
#endif
  MapBaseline(pixels, height * width, map, planes);
}

}  // namespace millrace
