#include "ort/decoder_block.h"

#include <algorithm>
#include <utility>

#include "ort/values.h"

namespace millrace {

Status TensorBlock::Make(const OrtApi& api, std::shared_ptr<DecoderPool> pool, const CacheFormat& format, int64_t rows,
                         int64_t tokens, TensorBlock& block) {
  TensorBlock made;
  made.api_ = &api;
  made.format_ = format;
  made.rows_ = rows;
  made.tokens_ = tokens;
  made.memory_info_ = pool->memory().info();
  MILLRACE_RETURN_IF_ERROR(DecoderPiece::Take(std::move(pool), static_cast<size_t>(made.bytes()), made.memory_));
  MILLRACE_RETURN_IF_ERROR(made.MakePrefix(rows, made.values_));
  block = std::move(made);
  return {};
}

Status TensorBlock::MakePrefix(int64_t rows, std::vector<OrtValuePtr>& values) const {
  const Shape shape{4, {rows, format_.heads, tokens_, format_.size}};
  values.resize(format_.tensors);
  for (size_t i = 0; i < values.size(); ++i) MILLRACE_RETURN_IF_ERROR(MakeValue(i, shape, values[i]));
  return {};
}

Status TensorBlock::MakeHidden(int64_t rows, int64_t tokens, OrtValuePtr& value) const {
  return MakeValue(0, {3, {rows, tokens, format_.size}}, value);
}

Status TensorBlock::MakeValue(size_t tensor, const Shape& shape, OrtValuePtr& value) const {
  const auto stride = static_cast<size_t>(bytes()) / format_.tensors;
  const auto elements = static_cast<size_t>(shape.Elements().value_or(0));
  const TensorView view{format_.type, shape, memory_.data() + tensor * stride, elements * ElementSize(format_.type),
                        nullptr};
  return MakeTensor(*api_, memory_info_, view, value);
}

Box TensorBlock::At(int64_t row, int64_t token) const noexcept {
  const size_t token_bytes = static_cast<size_t>(format_.size) * ElementSize(format_.type);
  const size_t pitch = static_cast<size_t>(tokens_) * token_bytes;
  return {memory_.data() + static_cast<size_t>(row * format_.heads) * pitch + static_cast<size_t>(token) * token_bytes,
          pitch, static_cast<size_t>(rows_ * format_.heads)};
}

BoxSize TensorBlock::SizeOf(int64_t rows, int64_t tokens) const noexcept {
  return {static_cast<size_t>(tokens * format_.size) * ElementSize(format_.type),
          static_cast<size_t>(rows * format_.heads), format_.tensors};
}

Status GatherRows(DecoderMemory& memory, std::span<const BlockRow> sources, Padding padding, TensorBlock& target,
                  uint64_t& copied) {
  const int64_t wanted = target.tokens();
  for (size_t first = 0, end = 0; first < sources.size(); first = end) {
    const BlockRow& source = sources[first];
    const auto follows = [&](size_t i) {
      return sources[i].block == source.block &&
             (source.block == nullptr || sources[i].row == source.row + static_cast<int64_t>(i - first));
    };
    for (end = first + 1; end < sources.size() && follows(end);) ++end;

    const auto row = static_cast<int64_t>(first);
    const auto rows = static_cast<int64_t>(end - first);
    const int64_t held = source.block == nullptr ? 0 : source.block->tokens();
    const int64_t common = std::min(held, wanted);
    const bool before = padding == Padding::kBefore;
    if (common > 0) {
      const BoxSize size = target.SizeOf(rows, common);
      MILLRACE_RETURN_IF_ERROR(memory.Copy(target.At(row, before ? wanted - common : 0),
                                           source.block->At(source.row, before ? held - common : 0), size));
      copied += size.bytes();
    }
    if (common < wanted) {
      MILLRACE_RETURN_IF_ERROR(
          memory.Clear(target.At(row, before ? 0 : common), target.SizeOf(rows, wanted - common)));
    }
  }
  return {};
}

}  // namespace millrace
