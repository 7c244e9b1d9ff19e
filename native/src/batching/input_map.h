// Inputs that requests bring in another form than the model takes.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "batching/tensor.h"

namespace millrace {

// Turns one input of requests into the model's own while a batch is gathered: it takes the place of the
// plain copy and costs no other pass over the data.
//
// THREADS Immutable; workers call it at the same time.
class InputMap {
 public:
  virtual ~InputMap() = default;

  // Of the model's input; a request's view has the request's own type and shape.
  virtual ElementType type() const noexcept = 0;
  virtual Shape ModelShape(const Shape& own) const noexcept = 0;
  // Writes the elements of ModelShape(part.shape) to `target`.
  virtual void Map(const TensorView& part, std::byte* target) const noexcept = 0;
};

// One for each input of the signature, null where requests bring what the model takes; or empty.
using InputMaps = std::vector<std::unique_ptr<const InputMap>>;

}  // namespace millrace
