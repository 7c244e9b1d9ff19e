// A small request as one block of memory, which JavaScript reads without an object for each of its parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "codec/infer_request.h"

namespace millrace {

// Lays a request out in a block that the caller lends:
//
//   int32  number of inputs
//   int32  number of outputs, or -1 where the request lists none
//   int32  length of the id
//   for each input:  int32 length of the name, type, number of sizes, offset of the elements in the block
//                    in bytes, number of elements; then the sizes
//   for each output: int32 length of the name
//
// The elements lie behind, each tensor at a multiple of 8 bytes. What native/codec.ts reads is this.
class FlatRequest final : public InferSink {
 public:
  explicit FlatRequest(std::span<std::byte> block) noexcept : block_(block) {}

  std::byte* Numbers(size_t input, ElementType type, size_t count) override;
  bool Strings(size_t, size_t) override { return false; }
  bool String(size_t, size_t, std::string_view) override { return false; }

  // Writes the layout. Returns the id and the names of inputs and outputs, one behind the other, or
  // nothing where the request has more to it than the block has a place for: parameters, strings, binary
  // data, names that are not ASCII, or more elements than fit.
  std::optional<std::string> Write(const InferRequest& request);

 private:
  struct Elements {
    size_t offset = 0;
    size_t count = 0;
  };

  bool Put(size_t value) noexcept;
  bool PutInput(const InferInput& input, size_t number) noexcept;

  std::span<std::byte> block_;
  // The first part of the block is the layout's, the rest the elements'.
  static constexpr size_t kLayoutBytes = 4096;
  size_t next_ = kLayoutBytes;
  size_t written_ = 0;
  std::vector<Elements> elements_;
};

}  // namespace millrace
