// Whether two runs gave the same answer.
#pragma once

#include "batching/tensor.h"

namespace millrace {

// Compares the elements of two tensors of one type and as many elements. Floating-point numbers may
// differ as far as kernels differ that sum in another order.
bool OutputsEqual(const TensorView& a, const TensorView& b);

}  // namespace millrace
