#include "image/resample.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace millrace {
namespace {

// The bytes that are kept between the passes, so that they stay in the cache of a core. Fewer columns or rows at a time
// would compute little with each weight.
constexpr size_t kBetween = size_t{512} << 10;
constexpr size_t kFewColumns = 32;
constexpr size_t kFewRows = 4;

void CopyNearest(const PixelView& pixels, size_t width, size_t height, const PixelWindow& window,
                 uint8_t* out, size_t stride) {
  const std::vector<size_t> columns = NearestPixels(pixels.width, width, window.left, window.width);
  const std::vector<size_t> rows = NearestPixels(pixels.height, height, window.top, window.height);
  const uint8_t* above = nullptr;
  for (size_t y = 0; y < window.height; ++y) {
    const uint8_t* const from = pixels.data + rows[y] * pixels.width * pixels.channels;
    uint8_t* const to = out + y * stride;
    if (from == above) {
      std::memcpy(to, to - stride, window.width * pixels.channels);
    } else if (pixels.channels == 1) {
      for (size_t x = 0; x < window.width; ++x) to[x] = from[columns[x]];
    } else {
      for (size_t x = 0; x < window.width; ++x) std::memcpy(to + x * 3, from + columns[x] * 3, 3);
    }
    above = from;
  }
}

// Returns the pixels of all taps of an axis, which ascend.
PixelRange RangeOf(const AxisWeights& axis) noexcept {
  const size_t first = axis.taps.front().first;
  return {first, axis.taps.back().first + axis.taps.back().count - first};
}

// The whole rows from `top` on.
ByteRows RowsFrom(const PixelView& pixels, size_t top, size_t rows) noexcept {
  const size_t stride = pixels.width * pixels.channels;
  return {pixels.data + top * stride, stride, rows, (pixels.height - top) * stride};
}

bool RowsComeFirst(const PixelView& pixels, size_t width, size_t height) noexcept {
  if (height >= pixels.height) return false;
  return width >= pixels.width || pixels.height - height > 2 * (pixels.width - width);
}

// Both passes of a resampling.
struct TwoPasses {
  ByteRows rows;  // from needed.first on
  size_t channels;
  const AxisWeights& horizontal;
  const AxisWeights& vertical;
  PixelRange needed;
  uint8_t* out;
  size_t stride;
  const ResamplePasses& passes;
};

void ColumnsThenRows(const TwoPasses& job) {
  const auto& [rows, channels, horizontal, vertical, needed, out, stride, passes] = job;
  const size_t width = horizontal.taps.size();
  const size_t strip = std::min(std::max(kBetween / (needed.count * channels), kFewColumns), width);
  std::vector<uint8_t> between(needed.count * strip * channels);
  for (size_t x = 0; x < width; x += strip) {
    const size_t count = std::min(strip, width - x);
    const std::span<const Taps> taps(horizontal.taps.data() + x, count);
    passes.columns(rows, channels, taps, horizontal, between.data(), count * channels);
    const ByteRows narrow = {between.data(), count * channels, needed.count, between.size()};
    passes.rows(narrow, needed.first, count * channels, vertical.taps, vertical, out + x * channels, stride);
  }
}

void RowsThenColumns(const TwoPasses& job) {
  const auto& [rows, channels, horizontal, vertical, needed, out, stride, passes] = job;
  const size_t height = vertical.taps.size();
  const size_t width = rows.stride;
  const size_t strip = std::min(std::max(kBetween / width, kFewRows), height);
  std::vector<uint8_t> between(strip * width);
  for (size_t y = 0; y < height; y += strip) {
    const size_t count = std::min(strip, height - y);
    const std::span<const Taps> taps(vertical.taps.data() + y, count);
    passes.rows(rows, needed.first, width, taps, vertical, between.data(), width);
    const ByteRows low = {between.data(), width, count, between.size()};
    passes.columns(low, channels, horizontal.taps, horizontal, out + y * stride, stride);
  }
}

}  // namespace

PixelRange NeededPixels(size_t size, size_t new_size, ResampleFilter filter, size_t first, size_t count) {
  if (size == new_size) return {first, count};
  if (filter != ResampleFilter::kNearest) return RangeOf(WeighAxis(size, new_size, filter, first, count));
  const std::vector<size_t> nearest = NearestPixels(size, new_size, first, count);
  return {nearest.front(), nearest.back() + 1 - nearest.front()};
}

void Resample(const PixelView& pixels, size_t width, size_t height, ResampleFilter filter,
              const PixelWindow& window, uint8_t* out, size_t stride, const ResamplePasses& passes) {
  if (filter == ResampleFilter::kNearest) {
    return CopyNearest(pixels, width, height, window, out, stride);
  }
  const size_t channels = pixels.channels;
  if (width == pixels.width && height == pixels.height) {
    const ByteRows rows = RowsFrom(pixels, window.top, window.height);
    for (size_t y = 0; y < window.height; ++y) {
      std::memcpy(out + y * stride, rows.data + y * rows.stride + window.left * channels,
                  window.width * channels);
    }
    return;
  }
  if (height == pixels.height) {
    const AxisWeights columns = WeighAxis(pixels.width, width, filter, window.left, window.width);
    const ByteRows rows = RowsFrom(pixels, window.top, window.height);
    return passes.columns(rows, channels, columns.taps, columns, out, stride);
  }
  const AxisWeights vertical = WeighAxis(pixels.height, height, filter, window.top, window.height);
  const PixelRange needed = RangeOf(vertical);
  ByteRows rows = RowsFrom(pixels, needed.first, needed.count);
  if (width == pixels.width) {
    rows.data += window.left * channels;
    return passes.rows(rows, needed.first, window.width * channels, vertical.taps, vertical, out, stride);
  }
  const AxisWeights horizontal = WeighAxis(pixels.width, width, filter, window.left, window.width);
  const auto pass = RowsComeFirst(pixels, width, height) ? RowsThenColumns : ColumnsThenRows;
  pass({rows, channels, horizontal, vertical, needed, out, stride, passes});
}

}  // namespace millrace
