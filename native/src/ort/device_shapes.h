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

// Sorts the device shapes, smallest first, and removes duplicates. Returns kInvalidArgument if one does not fit the
// signature or there are more than kMaxDeviceShapes.
inline constexpr size_t kMaxDeviceShapes = 512;
Status SortDeviceShapes(const Signature& signature, std::vector<DeviceShape>& shapes);

// Returns the index of the device shape for inputs of these shapes: the one that is equal or, if dimension 0 counts
// rows (`batched`), the smallest one that has at least as many rows and is otherwise equal. Returns nothing if there is
// none.
std::optional<size_t> FindDeviceShape(std::span<const DeviceShape> shapes,
                                 std::span<const Shape> inputs, bool batched) noexcept;

// Returns the name of the first dynamic input that cannot be in a profile, because its name contains a colon or a
// comma, which separate names and shapes in profiles. Returns "" if there is none.
std::string NameWithoutProfile(const Signature& signature);

// TensorRT's optimisation profile for all device shapes, in the form `name:2x3,other:4`. `min` and `max` have the
// smallest and the largest sizes, and `opt` has those of the largest device shape, on which throughput depends. Only
// dynamic inputs are listed. If there are none, the strings are empty.
struct Profile {
  std::string min;
  std::string opt;
  std::string max;
};
Profile MakeProfile(const Signature& signature, std::span<const DeviceShape> shapes);

}  // namespace millrace
