// The device shapes of a model: the closed set of shapes for which a GPU is warmed and keeps fixed buffers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// A device shape: the shape of each input, in the order of the signature, and their number of rows, which is 1 if
// dimension 0 does not count rows.
struct DeviceShape {
  int64_t rows = 1;
  std::vector<Shape> inputs;
};

// Puts the device shapes in order, smallest first, equal ones once. kInvalidArgument: one that does not fit
// the signature, or more than kMaxDeviceShapes.
inline constexpr size_t kMaxDeviceShapes = 512;
Status SortDeviceShapes(const Signature& signature, std::vector<DeviceShape>& shapes);

// The device shape that takes inputs of these shapes: the equal one or, where dimension 0 counts rows
// (`batched`), the one with the fewest rows at least theirs and all else equal. Empty if none does.
std::optional<size_t> FindDeviceShape(std::span<const DeviceShape> shapes,
                                 std::span<const Shape> inputs, bool batched) noexcept;

// The first input of a dynamic shape whose name cannot stand in a profile, in which colons and commas part
// names and shapes; empty if there is none.
std::string NameWithoutProfile(const Signature& signature);

// TensorRT's optimisation profile over all device shapes, as `name:2x3,other:4`: smallest sizes, largest
// sizes, and those of the largest device shape, which throughput depends on. Only dynamic inputs are
// named; all texts are empty if there are none.
struct Profile {
  std::string min;
  std::string opt;
  std::string max;
};
Profile MakeProfile(const Signature& signature, std::span<const DeviceShape> shapes);

}  // namespace millrace
