// Lays out a small request in one block of memory, so that JavaScript needs no object for each of its parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "codec/flat_layout.h"
#include "codec/infer_request.h"

namespace millrace {

// Lays a request out as codec/flat_layout.h describes, in a block that stays the caller's. The parser writes
// the elements through Numbers(), and Write() adds the rest.
class FlatRequest final : public InferSink {
 public:
  explicit FlatRequest(std::span<std::byte> block) noexcept : block_(block) {}

  std::byte* Numbers(size_t input, ElementType type, size_t count) override;
  bool Strings(size_t, size_t) override { return false; }
  bool String(size_t, size_t, std::string_view) override { return false; }

  // Writes the layout. Returns the id and the names of the inputs and outputs as one string, or nothing
  // if the block cannot represent the request: if it has parameters, strings, binary data, names that are
  // not ASCII, or more elements than fit.
  std::optional<std::string> Write(const InferRequest& request);

 private:
  struct Elements {
    size_t offset = 0;
    size_t count = 0;
  };

  bool Put(size_t value) noexcept;
  bool PutInput(const InferInput& input, size_t number) noexcept;

  std::span<std::byte> block_;
  size_t next_ = kFlatLayoutBytes;  // the offset for the elements of the next input
  size_t written_ = 0;
  std::vector<Elements> elements_;
};

}  // namespace millrace
