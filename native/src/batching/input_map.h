// Inputs for which requests have another form than the model takes.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "batching/tensor.h"

namespace millrace {

// Converts an input of requests to the form that the model takes. It replaces the copy while a batch is gathered, so
// that the data is read only once.
//
// THREADS It is immutable; several workers call it at a time.
class InputMap {
 public:
  virtual ~InputMap() = default;

  // The type and the shape of the model's input for an input of the request with the shape `own`.
  virtual ElementType type() const noexcept = 0;
  virtual Shape ModelShape(const Shape& own) const noexcept = 0;
  // Writes the elements of ModelShape(part.shape) to `target`.
  virtual void Map(const TensorView& part, std::byte* target) const noexcept = 0;
};

// A map for each input of the signature, or null for inputs that need no conversion. Empty if no input needs one.
using InputMaps = std::vector<std::unique_ptr<const InputMap>>;

}  // namespace millrace
