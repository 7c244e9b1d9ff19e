#include "addon/image_calls.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "addon/async_task.h"
#include "addon/codec_call.h"
#include "addon/place_arguments.h"
#include "image/base64.h"
#include "image/canvas.h"
#include "image/overlay.h"

namespace millrace {
namespace {

std::span<const uint8_t> Octets(const Arguments& arguments, size_t i) noexcept {
  const auto bytes = arguments.Bytes(i);
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// A task whose value is an ArrayBuffer.
class BufferTask : public AsyncTask {
 public:
  napi_value Result(napi_env env) override {
    const void* const data = memory_->bytes.get();
    return ToBuffer(env, std::move(memory_), data, size_);
  }

 protected:
  using AsyncTask::AsyncTask;

  uint8_t* Allocate(size_t size) {
    memory_ = std::make_unique<Memory>(size);
    size_ = size;
    return reinterpret_cast<uint8_t*>(memory_->bytes.get());
  }

 private:
  std::unique_ptr<Memory> memory_;
  size_t size_ = 0;
};

class PlaceTask final : public BufferTask {
 public:
  PlaceTask(napi_env env, const PlaceJob& job) noexcept : BufferTask(env), job_(job) {}

  Status Run() override {
    Place(job_, reinterpret_cast<std::byte*>(Allocate(CanvasBytes(job_))));
    return {};
  }

 private:
  const PlaceJob job_;
};

// place(words, pixels): Promise<ArrayBuffer>
// Computes a canvas. `words` is the Float64Array that ReadPlaceJob describes.
napi_value JS_place(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto bytes = arguments.Bytes(0);
  // JavaScript may share the memory with another thread, so it is read once.
  std::vector<double> words(bytes.size() / sizeof(double));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(double));
  PlaceJob job;
  const Status status = ReadPlaceJob(words, Octets(arguments, 1), job);
  if (!status.ok()) return Refuse(env, status);
  auto task = std::make_unique<PlaceTask>(env, job);
  task->Keep(arguments[1]);
  return AsyncTask::Start(env, std::move(task));
}

// The masks of an overlay: the counts and the colour of each.
struct ColoredMask {
  std::span<const uint32_t> counts;
  std::array<uint8_t, 3> color;
};

class OverlayTask final : public BufferTask {
 public:
  OverlayTask(napi_env env, const PixelView& pixels, double opacity) noexcept
      : BufferTask(env), pixels_(pixels), opacity_(opacity) {}

  void AddMask(const ColoredMask& mask) { masks_.push_back(mask); }

  Status Run() override {
    const size_t size = pixels_.width * pixels_.height * 3;
    uint8_t* const rgb = Allocate(size);
    std::memcpy(rgb, pixels_.data, size);
    for (size_t i = 0; i < masks_.size(); ++i) {
      const auto& [counts, color] = masks_[i];
      if (BlendMask(rgb, pixels_.width, pixels_.height, counts, color, opacity_)) continue;
      return {Code::kInvalidArgument, "The counts of mask " + std::to_string(i) +
                                          " do not add up to the pixels of the image: expected a mask of its size"};
    }
    return {};
  }

 private:
  const PixelView pixels_;
  const double opacity_;
  std::vector<ColoredMask> masks_;
};

// overlay(pixels, width, height, opacity, colors, ...counts): Promise<ArrayBuffer>
// Returns a copy of RGB pixels with masks blended over it, in their order. `colors` is a Uint8Array of three bytes for
// each mask, and each of the counts a Uint32Array as BlendMask takes it.
napi_value JS_overlay(napi_env env, napi_callback_info info) {
  constexpr size_t kFirstMask = 5;
  const Arguments arguments(env, info);
  const PixelView pixels = {Octets(arguments, 0).data(), arguments.Size(1), arguments.Size(2), 3};
  const double opacity = arguments.Number(3, -1);
  const auto colors = Octets(arguments, 4);
  const auto is_side = [](size_t side) { return side >= 1 && side <= kMaxImageSide; };
  if (!is_side(pixels.width) || !is_side(pixels.height) ||
      Octets(arguments, 0).size() != pixels.width * pixels.height * 3) {
    return Refuse(env, {Code::kInvalidArgument,
                        "The image is not RGB: expected width × height × 3 bytes, and sides from 1 to 65535"});
  }
  if (!(opacity >= 0 && opacity <= 1)) {
    return Refuse(env, {Code::kInvalidArgument, "The opacity is not a number from 0 to 1"});
  }
  const size_t masks = std::max(arguments.count(), kFirstMask) - kFirstMask;
  if (colors.size() != masks * 3) {
    return Refuse(env, {Code::kInvalidArgument, "There are " + std::to_string(masks) + " masks and " +
                                                    std::to_string(colors.size()) +
                                                    " bytes of colors: expected 3 for each mask"});
  }
  auto task = std::make_unique<OverlayTask>(env, pixels, opacity);
  task->Keep(arguments[0]);
  for (size_t i = 0; i < masks; ++i) {
    const auto counts = arguments.Bytes(kFirstMask + i);
    if (reinterpret_cast<uintptr_t>(counts.data()) % alignof(uint32_t) != 0) {
      return Refuse(env, {Code::kInvalidArgument, "The counts of a mask are not a Uint32Array"});
    }
    task->AddMask({{reinterpret_cast<const uint32_t*>(counts.data()), counts.size() / sizeof(uint32_t)},
                   {colors[i * 3], colors[i * 3 + 1], colors[i * 3 + 2]}});
    task->Keep(arguments[kFirstMask + i]);
  }
  return AsyncTask::Start(env, std::move(task));
}

class Base64Task final : public BufferTask {
 public:
  Base64Task(napi_env env, std::string_view text) noexcept : BufferTask(env), text_(text) {}

  Status Run() override {
    // JavaScript may change the memory meanwhile, so the padding is looked for once.
    const std::string_view characters = WithoutPadding(text_);
    const std::optional<size_t> size = Base64Size(characters.size());
    valid_ = size && DecodeBase64(characters, Allocate(*size));
    return {};
  }

  napi_value Result(napi_env env) override {
    if (valid_) return BufferTask::Result(env);
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    return undefined;
  }

 private:
  const std::string_view text_;
  bool valid_ = false;
};

// decodeBase64(text): Promise<ArrayBuffer | undefined>
// Returns the bytes that the ASCII characters stand for, or undefined if they are not base64.
napi_value JS_decodeBase64(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto task = std::make_unique<Base64Task>(env, arguments.Chars(0));
  task->Keep(arguments[0]);
  return AsyncTask::Start(env, std::move(task));
}

}  // namespace

void AddImages(Napi::Env env, Napi::Object exports) {
  AddFunction(env, exports, "place", JS_guarded<JS_place>);
  AddFunction(env, exports, "overlay", JS_guarded<JS_overlay>);
  AddFunction(env, exports, "decodeBase64", JS_guarded<JS_decodeBase64>);
}

}  // namespace millrace
