// Random inputs of given shapes.
#pragma once

#include <vector>

#include "batching/tensor.h"

namespace millrace {

// The values are the same in every process. Floating-point numbers have either sign and a magnitude from 1 to 2.
// Integers and Booleans are 0 or 1, so that they are valid indices. There are no inputs of strings.
class RandomInputs {
 public:
  RandomInputs(const Signature& signature, const std::vector<Shape>& shapes);
  std::span<const TensorView> views() const noexcept { return views_; }

 private:
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<TensorView> views_;
};

}  // namespace millrace
