// Tensors written as JSON arrays.
#pragma once

#include <cstddef>
#include <string_view>

#include "batching/tensor.h"
#include "codec/json_cursor.h"

namespace millrace {

// The place for parsed elements: numbers are written to memory from `at` up to `limit`, strings are passed to Text().
class ElementStore {
 public:
  virtual ~ElementStore() = default;

  // Takes one more string, which is valid during the call. Returns false if there is no room for it.
  virtual bool Text(std::string_view text) = 0;

  std::byte* at = nullptr;
  std::byte* limit = nullptr;
  bool overfull = false;  // whether there was an element for which there was no room
};

// Reads the array at the cursor as elements of `type` in row-major order. Arrays may be nested in any way: only the
// elements count, and the caller compares their number with the shape.
//
// Integers are exact, and refused if they are out of range or have a fraction or an exponent. Floats have the value
// that JavaScript reads, rounded to the type, and are refused beyond its range. Bools are true or false, and stored
// as one byte, 1 or 0.
//
// Returns false, with the reason in cursor.error(), for anything else and if the store is full. Allocates no memory.
bool ParseTensor(JsonCursor& cursor, ElementType type, NonFinite non_finite, ElementStore& store);

}  // namespace millrace
