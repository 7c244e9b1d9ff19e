// Pixels to planes: the fast way does what the formula says, for any size and any numbers.
#include <vector>

#include "codec/image.h"
#include "support.h"

using namespace millrace;
using fuzz::Claim;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Source source(data, size);
  const size_t channels = 1 + source.Below(kMaxChannels);
  const bool reverse = source.Byte() % 2 == 1;
  const size_t width = source.Below(64);
  const float scale = source.Real();
  std::vector<float> mean(channels);
  std::vector<float> deviation(channels);
  for (size_t c = 0; c < channels; ++c) {
    mean[c] = source.Real();
    deviation[c] = source.Real();
    if (deviation[c] == 0) deviation[c] = 1;
  }
  const PixelMap map = NormalizingMap(scale, mean, deviation, reverse);
  Claim(map.channels == channels, "all channels are mapped");

  // Whole rows of what is left, in memory that is no larger.
  const size_t height = width == 0 ? source.Below(9) : source.rest().size() / (width * channels);
  const size_t count = height * width;
  const std::string_view bytes = source.Take(count * channels);
  const std::vector<uint8_t> pixels(bytes.begin(), bytes.end());
  std::vector<float> planes(count * channels, -1);
  MapPixels(pixels.data(), height, width, map, planes.data());
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      const float byte = pixels[i * channels + map.source[c]];
      const float expected = byte * map.gain[c] + map.bias[c];
      const float got = planes[c * count + i];
      Claim(got == expected || (got != got && expected != expected), "a pixel is the formula's");
    }
  }
  return 0;
}
