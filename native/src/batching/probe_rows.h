// Made-up rows that show whether the rows of a batch influence each other.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "batching/samples.h"
#include "batching/shape_plan.h"

namespace millrace {

// A few rows of different kinds, of which batches are made in any order.
class ProbeRows {
 public:
  // The number of rows whose results may differ only by rounding: random numbers, zeros, ones, an ascending sequence,
  // and small numbers. They come first.
  static constexpr size_t kTame = 7;
  // The number of rows after them: large numbers of either sign, to which thresholds and clipping react. A row of NaN
  // is the last.
  static constexpr size_t kLarge = 3;
  static constexpr size_t kCount = kTame + kLarge + 1;

  // Makes the rows. With `indices`, integers of 32 and 64 bits are 0 or 1, because on some devices an index out of range
  // is a memory fault. Returns kInvalidArgument if a row would take too much memory.
  static Status Make(const Signature& signature, const ShapePlan& plan, bool indices, ProbeRows& rows);

  // Returns the rows with these indices as one batch. The views are valid until the next call.
  std::vector<TensorView> Batch(std::span<const size_t> order);

  // Returns the most rows of a batch for which memory is used.
  size_t most() const noexcept { return most_; }

 private:
  struct Input {
    TensorView row;  // shape of one row
    std::vector<std::byte> bytes;  // kCount rows
    std::vector<std::string> strings;
    std::vector<std::byte> batch;
    std::vector<std::string> batch_strings;
  };
  static Status Fill(Input& input, size_t row);
  static void Copy(Input& input, size_t from, size_t to);

  std::vector<Input> inputs_;
  size_t most_ = 1;
};

}  // namespace millrace
