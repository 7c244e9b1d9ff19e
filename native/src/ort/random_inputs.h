// Made-up inputs of given shapes.
#pragma once

#include <vector>

#include "batching/tensor.h"

namespace millrace {

// Floating-point numbers of either sign between 1 and 2 in size, integers and Booleans of 0 or 1, so that
// they are valid indices; the same in every process. Not for strings.
class RandomInputs {
 public:
  RandomInputs(const Signature& signature, const std::vector<Shape>& shapes);
  std::span<const TensorView> views() const noexcept { return views_; }

 private:
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<TensorView> views_;
};

}  // namespace millrace
