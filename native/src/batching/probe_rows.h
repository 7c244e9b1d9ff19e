// Made-up rows that bring out what rows of a model do to each other.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "batching/samples.h"
#include "batching/shape_plan.h"

namespace millrace {

// A few rows of different kinds, from which batches are put together in any order.
class ProbeRows {
 public:
  // Rows whose results are compared exactly, but for rounding: random numbers, zeros, ones, an ascending
  // sequence, small numbers. They come first.
  static constexpr size_t kTame = 7;
  // After them: large numbers of either sign, which thresholds and clipping react to, and NaN.
  static constexpr size_t kLarge = 3;
  static constexpr size_t kCount = kTame + kLarge + 1;

  // `indices`: whole numbers of 32 and 64 bits are 0 or 1, since an index out of range is a fault of
  // memory on some devices.
  // kInvalidArgument if a row would take too much memory.
  static Status Make(const Signature& signature, const ShapePlan& plan, bool indices, ProbeRows& rows);

  // The rows of these numbers as one batch. The views are valid until the next call.
  std::vector<TensorView> Batch(std::span<const size_t> order);

  // Most rows of a batch that memory is spent on.
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
