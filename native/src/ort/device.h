// Names of the devices a model can be loaded on.
#pragma once

#include <string>
#include <string_view>

#include "batching/status.h"

namespace millrace {

enum class DeviceKind : uint8_t { kCpu, kCuda, kTensorRt, kAuto };

struct DeviceSpec {
  static constexpr int kEvery = -1;

  DeviceKind kind = DeviceKind::kCpu;
  // Which GPU, counted as CUDA counts them; kEvery: one copy of the model on each.
  int index = 0;

  bool operator==(const DeviceSpec&) const = default;
};

// Reads `cpu`, `cuda`, `cuda:N`, `cuda:all`, the same with `tensorrt`, or `auto`. A GPU without a
// number is number 0. kInvalidArgument for anything else.
Status ParseDevice(std::string_view text, DeviceSpec& spec);

// The inverse: `cuda:0`, `tensorrt:all`, `cpu`.
std::string DeviceName(const DeviceSpec& spec);

}  // namespace millrace
