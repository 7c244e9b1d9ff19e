#include "addon/place_arguments.h"

#include <cmath>
#include <string>

#include "addon/whole_numbers.h"

namespace millrace {
namespace {

// The words before those of the channels, as ReadPlaceJob lists them.
constexpr size_t kHeadWords = 14;

std::string Written(double number) {
  if (IsWhole(number, -1e15, 1e15)) return std::to_string(static_cast<long long>(number));
  return std::to_string(number);
}

Status Wrong(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

Status ReadSides(double width, double height, const char* what, size_t& to_width, size_t& to_height) {
  constexpr double kMost = kMaxImageSide;
  if (!IsWhole(width, 1, kMost) || !IsWhole(height, 1, kMost)) {
    return Wrong(std::string(what) + " has " + Written(width) + " × " + Written(height) +
                 " pixels: expected whole numbers from 1 to " + std::to_string(kMaxImageSide));
  }
  to_width = static_cast<size_t>(width);
  to_height = static_cast<size_t>(height);
  return {};
}

Status ReadChannels(double channels, const char* what, size_t& to) {
  if (channels != 1 && channels != 3) {
    return Wrong(std::string(what) + " has " + Written(channels) + " channels: expected 1 or 3");
  }
  to = static_cast<size_t>(channels);
  return {};
}

Status ReadPlacement(std::span<const double> words, ImagePlacement& placement) {
  MILLRACE_RETURN_IF_ERROR(
      ReadSides(words[3], words[4], "The resized image", placement.width, placement.height));
  MILLRACE_RETURN_IF_ERROR(
      ReadSides(words[6], words[7], "The canvas", placement.canvas_width, placement.canvas_height));
  if (!IsWhole(words[5], 0, static_cast<double>(ResampleFilter::kHamming))) {
    return Wrong("The filter is unknown: expected nearest, lanczos, bilinear, bicubic, box or hamming");
  }
  placement.filter = static_cast<ResampleFilter>(words[5]);
  constexpr double kFar = kMaxImageSide;
  if (!IsWhole(words[8], -kFar, kFar) || !IsWhole(words[9], -kFar, kFar)) {
    return Wrong("The image lies at (" + Written(words[8]) + ", " + Written(words[9]) +
                 ") of the canvas: expected whole numbers from -65535 to 65535");
  }
  placement.left = static_cast<ptrdiff_t>(words[8]);
  placement.top = static_cast<ptrdiff_t>(words[9]);
  return {};
}

Status ReadForm(std::span<const double> words, CanvasForm& form) {
  if (!IsWhole(words[10], 0, static_cast<double>(CanvasLayout::kFloat16Chw))) {
    return Wrong("The layout is unknown: expected uint8, float32 or float16, each with -hwc or -chw");
  }
  form.layout = static_cast<CanvasLayout>(words[10]);
  MILLRACE_RETURN_IF_ERROR(ReadChannels(words[11], "The canvas", form.channels));
  form.reverse = words[12] == 1;
  const size_t expected = kHeadWords + 3 * form.channels;
  if (words.size() != expected) return Wrong("The form needs a fill, a mean and a std for each channel");
  form.scale = static_cast<float>(words[13]);
  const bool bytes = form.layout == CanvasLayout::kUint8Hwc || form.layout == CanvasLayout::kUint8Chw;
  for (size_t c = 0; c < form.channels; ++c) {
    form.fill[c] = words[kHeadWords + c];
    form.mean[c] = static_cast<float>(words[kHeadWords + form.channels + c]);
    form.deviation[c] = static_cast<float>(words[kHeadWords + 2 * form.channels + c]);
    if (bytes ? !IsWhole(form.fill[c], 0, 255) : !std::isfinite(static_cast<float>(form.fill[c]))) {
      return Wrong("The fill " + Written(form.fill[c]) + " is not " +
                   (bytes ? "a byte: expected whole numbers from 0 to 255" : "a number: expected a finite one"));
    }
    if (!std::isfinite(form.scale) || !std::isfinite(form.mean[c]) || !std::isfinite(form.deviation[c]) ||
        form.deviation[c] == 0) {
      return Wrong("The scale, a mean or a std is not a finite number, or a std is 0: expected others");
    }
  }
  return {};
}

}  // namespace

Status ReadPlaceJob(std::span<const double> words, std::span<const uint8_t> data, PlaceJob& job) {
  if (words.size() < kHeadWords) return Wrong("The description of the canvas is too short");
  PixelView& pixels = job.pixels;
  MILLRACE_RETURN_IF_ERROR(ReadSides(words[0], words[1], "The image", pixels.width, pixels.height));
  MILLRACE_RETURN_IF_ERROR(ReadChannels(words[2], "The image", pixels.channels));
  const size_t bytes = pixels.width * pixels.height * pixels.channels;
  if (data.size() != bytes) {
    return Wrong("The image has " + std::to_string(data.size()) + " bytes: expected " + std::to_string(bytes) +
                 ", which is width × height × channels");
  }
  pixels.data = data.data();
  MILLRACE_RETURN_IF_ERROR(ReadPlacement(words, job.placement));
  MILLRACE_RETURN_IF_ERROR(ReadForm(words, job.form));
  if (CanvasBytes(job) > kMaxCanvasBytes) {
    return Wrong("The canvas has " + std::to_string(CanvasBytes(job)) + " bytes: expected at most " +
                 std::to_string(kMaxCanvasBytes));
  }
  return {};
}

}  // namespace millrace
