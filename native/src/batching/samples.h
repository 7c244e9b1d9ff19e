// Made-up inputs to probe and warm up a model.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "batching/shape_plan.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// Random rows for every input of a signature, which are the same in every process. Dynamic dimensions other than 0 have
// the size 4. Integers are 0 or 1, so that they are valid indices.
class Samples {
 public:
  // The most elements of an input.
  static constexpr int64_t kMaxElements = 1 << 24;

  // Makes `rows` rows. Returns kInvalidArgument if they would take too much memory.
  static Status Make(const Signature& signature, size_t rows, Samples& samples);
  // The same with axes of these lengths, and with masks of ones. With an axis along dimension 0 there is one row.
  static Status Make(const Signature& signature, size_t rows, const ShapePlan& plan,
                     std::span<const int64_t> lengths, Samples& samples);

  // Sets the sign of all floating-point numbers.
  void SetSign(bool negative) noexcept;

  // Returns `count` rows of every input from row `first` on. An input without a dynamic dimension 0 always has the shape
  // of the model.
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
