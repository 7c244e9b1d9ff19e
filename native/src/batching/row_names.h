// What the names of dimensions in a file say about rows.
#pragma once

#include <string>

#include "batching/tensor.h"

namespace millrace {

// Whether an exporter has made a dimension's name up, as tf2onnx (`unk__12`), PyTorch (`Gemmy_dim_0`,
// `s0`) and Paddle (`DynamicDimension.0`) do, or there is none: it tells nothing.
bool IsMadeUpName(const std::string& symbol);

// A sentence if dimension 0 of an output is said to be something else than that of the inputs; else empty.
// `data_sized`: sizes may depend on the data, so that no name is not good enough.
std::string OtherNameOfRows(const Signature& signature, bool data_sized);

}  // namespace millrace
