#include "ort/device.h"

#include <charconv>

namespace millrace {
namespace {

const char* KindName(DeviceKind kind) noexcept {
  switch (kind) {
    case DeviceKind::kCuda:
      return "cuda";
    case DeviceKind::kTensorRt:
      return "tensorrt";
    case DeviceKind::kAuto:
      return "auto";
    case DeviceKind::kCpu:
      break;
  }
  return "cpu";
}

bool HasIndex(DeviceKind kind) noexcept {
  return kind == DeviceKind::kCuda || kind == DeviceKind::kTensorRt;
}

bool ParseIndex(std::string_view text, int& index) {
  if (text == "all") {
    index = DeviceSpec::kEvery;
    return true;
  }
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, index);
  return error == std::errc() && stop == end && index >= 0;
}

}  // namespace

Status ParseDevice(std::string_view text, DeviceSpec& spec) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const DeviceKind kind :
       {DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kTensorRt, DeviceKind::kAuto}) {
    if (name != KindName(kind)) continue;
    DeviceSpec parsed{kind, 0};
    if (colon != std::string_view::npos &&
        !(HasIndex(kind) && ParseIndex(text.substr(colon + 1), parsed.index))) {
      break;
    }
    spec = parsed;
    return {};
  }
  return {Code::kInvalidArgument,
          "Device '" + std::string(text) +
              "' is unknown: use cpu, cuda, cuda:N, cuda:all, tensorrt, tensorrt:N, tensorrt:all or auto"};
}

std::string DeviceName(const DeviceSpec& spec) {
  const std::string name = KindName(spec.kind);
  if (!HasIndex(spec.kind)) return name;
  return name + ':' + (spec.index == DeviceSpec::kEvery ? "all" : std::to_string(spec.index));
}

}  // namespace millrace
