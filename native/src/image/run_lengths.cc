#include "image/run_lengths.h"

#include <cstring>
#include <string>

namespace millrace {

Status CountBudget::TooMany() {
  return {Code::kUnimplemented, "The masks have more than " + std::to_string(kMaxMaskNumbers) +
                                    " counts of run lengths in all: ask for a higher threshold, or send a smaller image"};
}

Mask RunWriter::Finish() {
  const size_t pixels = mask_.width * mask_.height;
  if (end_ < pixels) mask_.counts.push_back(static_cast<uint32_t>(pixels - end_));
  mask_.box = BoxOfRuns({mask_.width, mask_.height, mask_.counts});
  return std::move(mask_);
}

Status CheckMask(const MaskView& mask) {
  const bool sides = mask.width >= 1 && mask.height >= 1 && mask.width <= kMaxImageSide &&
                     mask.height <= kMaxImageSide && mask.width * mask.height <= kMaxImagePixels;
  if (!sides) {
    return {Code::kInvalidArgument, "A mask needs sides of 1 to 65535 pixels, and at most 268435456 pixels"};
  }
  size_t pixels = 0;
  for (const uint32_t count : mask.counts) {
    pixels += count;
    if (pixels > kMaxImagePixels) break;
  }
  if (pixels == mask.width * mask.height) return {};
  return {Code::kInvalidArgument, "The counts of the mask do not have as many pixels as its width × height, " +
                                      std::to_string(mask.width * mask.height)};
}

std::array<uint32_t, 4> BoxOfRuns(const MaskView& mask) noexcept {
  size_t left = mask.width;
  size_t top = mask.height;
  size_t right = 0;
  size_t bottom = 0;
  ForEachRun(mask.counts, [&](size_t first, size_t last) {
    const size_t end = (last - 1) / mask.height;
    const bool several = first / mask.height != end;
    left = std::min(left, first / mask.height);
    right = std::max(right, end + 1);
    top = several ? 0 : std::min(top, first % mask.height);
    bottom = several ? mask.height : std::max(bottom, (last - 1) % mask.height + 1);
  });
  if (right == 0) return {};
  return {static_cast<uint32_t>(left), static_cast<uint32_t>(top), static_cast<uint32_t>(right - left),
          static_cast<uint32_t>(bottom - top)};
}

void WriteBitmap(const MaskView& mask, uint8_t* bytes) {
  // A strip of columns at a time, which is turned in memory that caches hold.
  constexpr size_t kStrip = 64;
  std::vector<uint8_t> strip(kStrip * mask.height);
  size_t next = 0;  // of the counts
  size_t left = 0;  // of the run before it
  uint8_t value = 255;
  for (size_t x = 0; x < mask.width; x += kStrip) {
    const size_t columns = std::min(kStrip, mask.width - x);
    for (size_t i = 0; i < columns * mask.height;) {
      while (left == 0) {
        left = next < mask.counts.size() ? mask.counts[next++] : kMaxImagePixels;
        value = static_cast<uint8_t>(~value);
      }
      const size_t length = std::min(left, columns * mask.height - i);
      std::memset(strip.data() + i, value, length);
      i += length;
      left -= length;
    }
    for (size_t y = 0; y < mask.height; ++y) {
      uint8_t* const row = bytes + y * mask.width + x;
      for (size_t i = 0; i < columns; ++i) row[i] = strip[i * mask.height + y];
    }
  }
}

}  // namespace millrace
