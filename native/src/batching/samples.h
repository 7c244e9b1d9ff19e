// Made-up inputs, to probe and to warm a model with.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "batching/shape_plan.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// Random rows for every input of a signature, the same in every process. Dynamic dimensions other
// than 0 get the size 4; integers are 0 or 1, so that they are valid indices.
class Samples {
 public:
  // Most elements of an input.
  static constexpr int64_t kMaxElements = 1 << 24;

  // kInvalidArgument if that many rows would take too much memory.
  static Status Make(const Signature& signature, size_t rows, Samples& samples);
  // The same with axes of the lengths given, and masks of nothing but ones. An axis along dimension 0
  // leaves one row.
  static Status Make(const Signature& signature, size_t rows, const ShapePlan& plan,
                     std::span<const int64_t> lengths, Samples& samples);

  // Gives all floating-point numbers one sign.
  void SetSign(bool negative) noexcept;

  // Rows `first` to `first + count` of every input. Where an input has no dynamic dimension 0 its
  // shape is the model's own, whatever the count.
  std::vector<TensorView> Rows(size_t first, size_t count) const;

 private:
  struct Column {
    TensorView row;  // shape of one row
    bool dynamic = false;
    size_t elements = 0;  // of one row
    std::vector<std::byte> bytes;
    std::vector<std::string> strings;
  };
  std::vector<Column> columns_;
};

}  // namespace millrace
