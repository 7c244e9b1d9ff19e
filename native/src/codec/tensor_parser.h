// Tensors written as JSON arrays.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "batching/tensor.h"
#include "codec/json_cursor.h"

namespace millrace {

// Where parsed elements go: numbers into memory between `at` and `limit`, strings to Text().
class ElementStore {
 public:
  virtual ~ElementStore() = default;

  // Room for one more number, or false if there may be no more. Called when `at` is `limit`.
  virtual bool Grow() = 0;

  // Takes one more string, whose characters are the caller's. False if there may be no more.
  virtual bool Text(std::string_view text) = 0;

  std::byte* at = nullptr;
  std::byte* limit = nullptr;
};

// A store that takes any number of elements, in memory of its own.
class ElementBuffer final : public ElementStore {
 public:
  bool Grow() override;
  bool Text(std::string_view text) override;

  std::span<const std::byte> numbers() const noexcept { return {memory_.get(), at}; }
  const std::vector<std::string>& strings() const noexcept { return strings_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::vector<std::string> strings_;
};

// The sizes of nested arrays, outermost first; empty unless all arrays of a level have the same size
// and elements stand on the innermost level only.
struct Nesting {
  size_t depth = 0;
  std::array<int64_t, kMaxDepth> sizes{};
};

// Reads the array at the cursor as elements of `type` in row-major order. Arrays may be nested to the
// tensor's rank, not at all, or anything between: only elements count, and the caller counts them.
//
// Integers are exact, and refused if out of range or written with a fraction or an exponent. Floats
// are what JavaScript makes of the same text, and refused beyond the type's range. A bool is true or
// false, and stored as one byte, 1 or 0.
//
// False with cursor.error() as JsonCursor does. Uses no memory but the store's.
bool ParseTensor(JsonCursor& cursor, ElementType type, NonFinite non_finite, ElementStore& store,
                 Nesting* nesting = nullptr);

}  // namespace millrace
