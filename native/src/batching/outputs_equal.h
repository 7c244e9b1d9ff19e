// Comparison of the outputs of two runs.
#pragma once

#include "batching/tensor.h"

namespace millrace {

// Returns whether two tensors of the same type and number of elements are equal. Floating-point numbers may differ as
// much as the results of kernels that add in another order.
bool OutputsEqual(const TensorView& a, const TensorView& b);

}  // namespace millrace
