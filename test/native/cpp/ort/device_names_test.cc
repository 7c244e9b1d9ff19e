// Names of devices, and the choice between several.
#include <gtest/gtest.h>

#include "ort/device.h"

namespace millrace {
namespace {

TEST(ParseDevice, ReadsEveryForm) {
  const std::vector<std::pair<const char*, DeviceSpec>> forms = {
      {"cpu", {DeviceKind::kCpu, 0}},
      {"auto", {DeviceKind::kAuto, 0}},
      {"cuda", {DeviceKind::kCuda, 0}},
      {"cuda:0", {DeviceKind::kCuda, 0}},
      {"cuda:12", {DeviceKind::kCuda, 12}},
      {"cuda:all", {DeviceKind::kCuda, DeviceSpec::kEvery}},
      {"tensorrt", {DeviceKind::kTensorRt, 0}},
      {"tensorrt:3", {DeviceKind::kTensorRt, 3}},
      {"tensorrt:all", {DeviceKind::kTensorRt, DeviceSpec::kEvery}},
  };
  for (const auto& [text, expected] : forms) {
    DeviceSpec spec;
    ASSERT_TRUE(ParseDevice(text, spec).ok()) << text;
    EXPECT_EQ(spec, expected) << text;
    DeviceSpec again;
    ASSERT_TRUE(ParseDevice(DeviceName(spec), again).ok());
    EXPECT_EQ(again, expected) << DeviceName(spec);
  }
}

TEST(ParseDevice, RefusesTheRestAndLeavesTheSpecAlone) {
  for (const char* text : {"", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:1x", "cuda:x", "cpu:0",
                           "auto:0", "cuda:99999999999", "cuda:all:1"}) {
    DeviceSpec spec{DeviceKind::kTensorRt, 5};
    const Status status = ParseDevice(text, spec);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << text;
    EXPECT_TRUE(status.message().starts_with(std::string("Device '").append(text).append("' is")));
    EXPECT_EQ(spec, (DeviceSpec{DeviceKind::kTensorRt, 5}));
  }
}

}  // namespace
}  // namespace millrace
