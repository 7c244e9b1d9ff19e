// The inputs of several requests as one batch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batching/staged.h"

namespace millrace {

// Returns the shapes that the inputs of all parts have when they are concatenated.
std::vector<Shape> ShapesOf(std::span<const Part> parts);

// A copy of the inputs of all parts, one after another.
class GatheredParts {
 public:
  explicit GatheredParts(std::span<const Part> parts);
  std::span<const TensorView> views() const noexcept { return views_; }

 private:
  std::vector<TensorView> views_;
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<std::vector<std::string>> strings_;
};

}  // namespace millrace
