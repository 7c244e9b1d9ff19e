// Tensors of all layers in one piece of memory, and the copies by which rows move between them.
#pragma once

#include <span>
#include <vector>

#include "batching/tensor.h"
#include "ort/decoder_graph.h"
#include "ort/decoder_memory.h"

namespace millrace {

// Tensors [rows, heads, tokens, size] of equal shapes, one after another. Hidden states [rows, tokens, size] are one
// such tensor with one head.
class TensorBlock {
 public:
  TensorBlock() = default;

  // Takes memory for the tensors and leaves it as it is. `tokens` may be 0.
  static Status Make(const OrtApi& api, std::shared_ptr<DecoderPool> pool, const CacheFormat& format, int64_t rows,
                     int64_t tokens, TensorBlock& block);

  bool empty() const noexcept { return values_.empty(); }
  int64_t rows() const noexcept { return rows_; }
  int64_t tokens() const noexcept { return tokens_; }
  int64_t bytes() const noexcept { return rows_ * tokens_ * format_.BytesPerToken(); }

  // The tensors, for as long as the block exists.
  std::span<const OrtValuePtr> values() const noexcept { return values_; }
  // Makes tensors of the first `rows` rows. They refer to the block's memory.
  Status MakePrefix(int64_t rows, std::vector<OrtValuePtr>& values) const;
  // Makes a tensor [rows, tokens, size] of a block with one tensor and one head, which has as many rows × tokens at
  // least.
  Status MakeHidden(int64_t rows, int64_t tokens, OrtValuePtr& value) const;

  // The part of the memory that holds some tokens of a row and the rows after it.
  Box At(int64_t row, int64_t token) const noexcept;
  BoxSize SizeOf(int64_t rows, int64_t tokens) const noexcept;

 private:
  Status MakeValue(size_t tensor, const Shape& shape, OrtValuePtr& value) const;

  const OrtApi* api_ = nullptr;
  const OrtMemoryInfo* memory_info_ = nullptr;
  CacheFormat format_;
  int64_t rows_ = 0;
  int64_t tokens_ = 0;
  DecoderPiece memory_;
  std::vector<OrtValuePtr> values_;
};

// A row of a block.
struct BlockRow {
  const TensorBlock* block = nullptr;
  int64_t row = 0;
};

// Where padding is: before the tokens of a row, so that the next token follows the last one, or after them.
enum class Padding : uint8_t { kBefore, kAfter };

// Copies `sources` to the rows of `target`, each with its tokens at the side without padding. A row that has more
// tokens than `target` loses the other side's, which must be padding; one that has fewer is filled up with zeros. A row
// without a block becomes zeros. Adds the bytes that it copies to `copied`.
//
// Rows that lie one after another in their block are one copy.
Status GatherRows(DecoderMemory& memory, std::span<const BlockRow> sources, Padding padding, TensorBlock& target,
                  uint64_t& copied);

}  // namespace millrace
