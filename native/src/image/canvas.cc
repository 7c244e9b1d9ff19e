#include "image/canvas.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "batching/half.h"
#include "codec/image.h"

namespace millrace {
namespace {

bool IsFloat(CanvasLayout layout) noexcept {
  return layout == CanvasLayout::kFloat32Hwc || layout == CanvasLayout::kFloat32Chw;
}

bool IsHalf(CanvasLayout layout) noexcept {
  return layout == CanvasLayout::kFloat16Hwc || layout == CanvasLayout::kFloat16Chw;
}

bool HasPlanes(CanvasLayout layout) noexcept {
  return layout == CanvasLayout::kUint8Chw || layout == CanvasLayout::kFloat32Chw ||
         layout == CanvasLayout::kFloat16Chw;
}

// The part of an axis of the canvas that shows the image.
PixelRange Shown(ptrdiff_t offset, size_t size, size_t canvas) noexcept {
  const ptrdiff_t begin = std::max<ptrdiff_t>(offset, 0);
  const ptrdiff_t end = std::min(offset + static_cast<ptrdiff_t>(size), static_cast<ptrdiff_t>(canvas));
  if (end <= begin) return {};
  return {static_cast<size_t>(begin), static_cast<size_t>(end - begin)};
}

// The parts of both axes of a canvas.
struct ShownPart {
  PixelRange columns;
  PixelRange rows;
};

// Writes the part of the resized image that is shown to its place on a canvas of interleaved bytes.
void ResampleTo(const PixelView& pixels, const ImagePlacement& placement, const ShownPart& part, uint8_t* canvas) {
  const auto inside = [](const PixelRange& range, ptrdiff_t offset) {
    return static_cast<size_t>(static_cast<ptrdiff_t>(range.first) - offset);
  };
  const PixelWindow window = {inside(part.columns, placement.left), inside(part.rows, placement.top),
                              part.columns.count, part.rows.count};
  const size_t stride = placement.canvas_width * pixels.channels;
  Resample(pixels, placement.width, placement.height, placement.filter, window,
           canvas + part.rows.first * stride + part.columns.first * pixels.channels, stride);
}

// Memory that is not cleared before it is written.
using Bytes = std::unique_ptr<uint8_t[]>;

// Returns the rows of the image that are needed as grey pixels, at their place in the image.
Bytes GreyOf(const PixelView& pixels, const PixelRange& rows) {
  Bytes grey = std::make_unique_for_overwrite<uint8_t[]>(pixels.width * pixels.height);
  const size_t first = rows.first * pixels.width;
  const uint8_t* rgb = pixels.data + first * 3;
  for (size_t i = first; i < first + rows.count * pixels.width; ++i, rgb += 3) {
    grey[i] = static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
  }
  return grey;
}

// What each byte of each channel of a canvas becomes.
template <typename Element>
using ByteTable = std::array<std::array<Element, 256>, 3>;

ByteTable<uint8_t> SameBytes() noexcept {
  ByteTable<uint8_t> table;
  for (auto& channel : table) {
    for (size_t byte = 0; byte < channel.size(); ++byte) channel[byte] = static_cast<uint8_t>(byte);
  }
  return table;
}

ByteTable<float> NormalizedBytes(const PixelMap& map) noexcept {
  ByteTable<float> table{};
  for (size_t c = 0; c < map.channels; ++c) {
    for (size_t byte = 0; byte < table[c].size(); ++byte) {
      table[c][byte] = static_cast<float>(byte) * map.gain[c] + map.bias[c];
    }
  }
  return table;
}

// Converts a canvas of interleaved bytes, whose channels are those of the form, or one grey channel.
template <typename Element>
void Convert(const uint8_t* bytes, size_t channels, size_t count, const CanvasForm& form,
             const ByteTable<Element>& table, Element* out) noexcept {
  const bool planes = HasPlanes(form.layout);
  for (size_t c = 0; c < form.channels; ++c) {
    const size_t source = form.reverse ? form.channels - 1 - c : c;
    const uint8_t* from = bytes + (channels == 1 ? 0 : source);
    Element* to = out + (planes ? c * count : c);
    const size_t step = planes ? 1 : form.channels;
    for (size_t i = 0; i < count; ++i, from += channels, to += step) *to = table[c][*from];
  }
}

void Normalize(const uint8_t* bytes, size_t channels, size_t count, const CanvasForm& form, float* out) {
  const std::span<const float> mean(form.mean.data(), form.channels);
  const std::span<const float> deviation(form.deviation.data(), form.channels);
  const PixelMap map = NormalizingMap(form.scale, mean, deviation, form.reverse);
  if (form.layout == CanvasLayout::kFloat32Hwc) {
    Convert(bytes, channels, count, form, NormalizedBytes(map), out);
  } else if (channels == form.channels) {
    MapPixels(bytes, 1, count, map, out);
  } else {
    for (size_t c = 0; c < form.channels; ++c) {
      const PixelMap plane = NormalizingMap(form.scale, mean.subspan(c, 1), deviation.subspan(c, 1), false);
      MapPixels(bytes, 1, count, plane, out + c * count);
    }
  }
}

// Fills the columns `first` to `end` of a row.
template <typename Element>
void FillColumns(const PlaceJob& job, size_t row, size_t first, size_t end, Element* canvas) noexcept {
  const size_t width = job.placement.canvas_width;
  const size_t plane = width * job.placement.canvas_height;
  const size_t channels = job.form.channels;
  const auto& fill = job.form.fill;
  const bool planes = HasPlanes(job.form.layout);
  const bool uniform = std::all_of(fill.begin(), fill.begin() + channels, [&](double f) { return f == fill[0]; });
  Element* const from = canvas + (row * width + first) * (planes ? 1 : channels);
  if (uniform && !planes) {
    std::fill_n(from, (end - first) * channels, static_cast<Element>(fill[0]));
    return;
  }
  for (size_t c = 0; c < channels; ++c) {
    const auto value = static_cast<Element>(fill[c]);
    if (planes) {
      std::fill_n(from + c * plane, end - first, value);
    } else {
      for (size_t i = 0; i < end - first; ++i) from[i * channels + c] = value;
    }
  }
}

template <typename Element>
void FillAround(const PlaceJob& job, const ShownPart& part, Element* canvas) noexcept {
  const size_t width = job.placement.canvas_width;
  const auto& [columns, rows] = part;
  for (size_t y = 0; y < job.placement.canvas_height; ++y) {
    if (y - rows.first >= rows.count) {
      FillColumns(job, y, 0, width, canvas);
    } else {
      FillColumns(job, y, 0, columns.first, canvas);
      FillColumns(job, y, columns.first + columns.count, width, canvas);
    }
  }
}

// Floats of 16 bits are made of those of 32.
void PlaceHalves(const PlaceJob& job, uint16_t* canvas) {
  PlaceJob floats = job;
  floats.form.layout =
      job.form.layout == CanvasLayout::kFloat16Hwc ? CanvasLayout::kFloat32Hwc : CanvasLayout::kFloat32Chw;
  const size_t count = CanvasBytes(job) / sizeof(uint16_t);
  const auto whole = std::make_unique_for_overwrite<float[]>(count);
  Place(floats, reinterpret_cast<std::byte*>(whole.get()));
  std::transform(whole.get(), whole.get() + count, canvas, [](float value) { return DoubleToHalf(double{value}); });
}

}  // namespace

size_t CanvasBytes(const PlaceJob& job) noexcept {
  const size_t elements = job.placement.canvas_width * job.placement.canvas_height * job.form.channels;
  if (IsHalf(job.form.layout)) return elements * sizeof(uint16_t);
  return elements * (IsFloat(job.form.layout) ? sizeof(float) : 1);
}

void Place(const PlaceJob& job, std::byte* canvas) {
  if (IsHalf(job.form.layout)) return PlaceHalves(job, reinterpret_cast<uint16_t*>(canvas));
  const auto& [pixels, placement, form] = job;
  ShownPart part = {Shown(placement.left, placement.width, placement.canvas_width),
                    Shown(placement.top, placement.height, placement.canvas_height)};
  if (part.columns.count == 0 || part.rows.count == 0) part = {};
  const bool shown = part.rows.count > 0;

  Bytes grey;
  PixelView view = pixels;
  if (shown && pixels.channels == 3 && form.channels == 1) {
    const auto first = static_cast<size_t>(static_cast<ptrdiff_t>(part.rows.first) - placement.top);
    grey = GreyOf(pixels, NeededPixels(pixels.height, placement.height, placement.filter, first, part.rows.count));
    view.data = grey.get();
    view.channels = 1;
  }

  auto* const bytes = reinterpret_cast<uint8_t*>(canvas);
  auto* const floats = reinterpret_cast<float*>(canvas);
  const bool direct = form.layout == CanvasLayout::kUint8Hwc && view.channels == form.channels && !form.reverse;
  if (shown && direct) {
    ResampleTo(view, placement, part, bytes);
  } else if (shown) {
    const size_t count = placement.canvas_width * placement.canvas_height;
    std::vector<uint8_t> interleaved(count * view.channels);
    ResampleTo(view, placement, part, interleaved.data());
    if (IsFloat(form.layout)) {
      Normalize(interleaved.data(), view.channels, count, form, floats);
    } else {
      Convert(interleaved.data(), view.channels, count, form, SameBytes(), bytes);
    }
  }
  if (IsFloat(form.layout)) return FillAround(job, part, floats);
  FillAround(job, part, bytes);
}

}  // namespace millrace
