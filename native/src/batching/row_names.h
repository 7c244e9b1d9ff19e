// Conclusions about rows from the names of dimensions in a model's file.
#pragma once

#include <string>

#include "batching/tensor.h"

namespace millrace {

// Returns whether a dimension has no name or one that an exporter generated, as tf2onnx (`unk__12`), PyTorch
// (`Gemmy_dim_0`, `s0`) and Paddle (`DynamicDimension.0`) do. Such a name says nothing about the dimension.
bool IsMadeUpName(const std::string& symbol);

// Returns a sentence if the names say that dimension 0 of an output is not that of the inputs, and otherwise an empty
// string. With `data_sized` sizes may depend on the data, so that a dimension without a name is not accepted either.
std::string OtherNameOfRows(const Signature& signature, bool data_sized);

}  // namespace millrace
