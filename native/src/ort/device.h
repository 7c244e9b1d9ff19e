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
  // The number of the GPU, as CUDA counts them, or kEvery for a copy of the model on each GPU.
  int index = 0;

  bool operator==(const DeviceSpec&) const = default;
};

// Parses `cpu`, `cuda`, `cuda:N`, `cuda:all`, the same with `tensorrt`, or `auto`. A GPU without a number is number 0.
// Returns kInvalidArgument for anything else.
Status ParseDevice(std::string_view text, DeviceSpec& spec);

// Returns the name of a device, such as `cuda:0`, `tensorrt:all` or `cpu`. This is the inverse of ParseDevice.
std::string DeviceName(const DeviceSpec& spec);

}  // namespace millrace
