#include "ort/decoder_session.h"

#include <algorithm>
#include <utility>

#include "batching/half.h"
#include "ort/values.h"

namespace millrace {
namespace {

const TensorBlock& TensorsOf(const CacheBlock& block) noexcept {
  return static_cast<const KeyValueBlock&>(block).tensors;
}

// Returns whether the rows are the first rows of one block, in order, with no padding that all of them share.
bool AreFirstRows(std::span<const DecoderRow> rows, int64_t longest) {
  const CacheBlock* const block = rows.front().cache.block.get();
  if (block == nullptr || TensorsOf(*block).tokens() != longest) return false;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].cache.block.get() != block || rows[i].cache.row != i) return false;
  }
  return true;
}

}  // namespace

DecoderSession::~DecoderSession() {
  const GatePass pass(gate_);
  if (pass) return;
  encoder_.Abandon();
  first_.bound.Abandon();
  later_.bound.Abandon();
  static_cast<void>(cpu_.release());
}

std::unique_ptr<RunHandle> DecoderSession::NewHandle() {
  auto handle = std::make_unique<OrtRunHandle>(api_, gate_);
  // The stream keeps the order, and one wait at the end of a step suffices. A failure can be ignored here, because the
  // first run reports it.
  if (!pool_->memory().on_cpu()) handle->Configure("disable_synchronize_execution_providers", "1").ok();
  return handle;
}

CopyCounters DecoderSession::copies() const noexcept {
  CopyCounters copies;
  copies.steps = steps_.load(std::memory_order_relaxed);
  copies.reused = reused_.load(std::memory_order_relaxed);
  copies.gathered_bytes = gathered_bytes_.load(std::memory_order_relaxed);
  copies.device_to_host_bytes = to_host_bytes_.load(std::memory_order_relaxed);
  copies.host_to_device_bytes = to_device_bytes_.load(std::memory_order_relaxed);
  return copies;
}

Status DecoderSession::Step(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits) {
  const GatePass pass(gate_);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  DecoderMemory& memory = pool_->memory();
  MILLRACE_RETURN_IF_ERROR(memory.Use());
  StepShape shape;
  MILLRACE_RETURN_IF_ERROR(CheckRows(rows, shape));
  if (shape.cached && StartsSomeTexts(rows)) return StepApart(rows, handle, logits);
  return StepTogether(rows, shape, handle, logits);
}

// The first run of a text makes its cross keys and values, and is that of a graph of its own. If other rows are
// further, there are two runs.
Status DecoderSession::StepApart(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits) {
  const auto width = static_cast<size_t>(facts_.vocabulary);
  apart_.resize(rows.size() * width);
  for (const bool cached : {true, false}) {
    std::vector<size_t> places;
    std::vector<DecoderRow> own;
    for (size_t i = 0; i < rows.size(); ++i) {
      if ((rows[i].cache.block != nullptr) != cached) continue;
      places.push_back(i);
      own.push_back(std::move(rows[i]));
    }
    const StepShape shape{static_cast<int64_t>(own.size()), static_cast<int64_t>(own.front().tokens.size()), cached};
    MILLRACE_RETURN_IF_ERROR(StepTogether(own, shape, handle, logits));
    for (size_t i = 0; i < own.size(); ++i) {
      rows[places[i]] = std::move(own[i]);
      std::copy_n(logits.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                  apart_.begin() + static_cast<std::ptrdiff_t>(places[i] * width));
    }
  }
  logits = apart_;
  return {};
}

bool DecoderSession::StartsSomeTexts(std::span<const DecoderRow> rows) const noexcept {
  return facts_.encoder_decoder &&
         std::any_of(rows.begin(), rows.end(), [](const DecoderRow& row) { return row.cache.block == nullptr; });
}

Status DecoderSession::StepTogether(std::span<DecoderRow> rows, const StepShape& shape, RunHandle& handle,
                                    std::span<const float>& logits) {
  DecoderMemory& memory = pool_->memory();
  Past past;
  std::shared_ptr<const EncodedTexts> texts;
  MILLRACE_RETURN_IF_ERROR(JoinCaches(rows, shape, past));
  if (facts_.encoder_decoder) MILLRACE_RETURN_IF_ERROR(JoinTexts(rows, shape.cached, texts));

  Graph& graph = shape.cached ? later_ : first_;
  MILLRACE_RETURN_IF_ERROR(BindIndices(rows, shape, past.tokens, graph));
  if (texts != nullptr) MILLRACE_RETURN_IF_ERROR(BindTexts(*texts, graph));
  MILLRACE_RETURN_IF_ERROR(graph.bound.Inputs(graph.names.past, past.values));

  auto present = std::make_shared<KeyValueBlock>();
  std::shared_ptr<const EncodedTexts> crossed = texts;
  MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format_.self, shape.rows, past.tokens + shape.tokens,
                                             present->tensors));
  MILLRACE_RETURN_IF_ERROR(graph.bound.Outputs(graph.names.present, present->tensors.values()));
  if (texts != nullptr && !shape.cached) MILLRACE_RETURN_IF_ERROR(BindCross(*texts, graph, crossed));
  const int64_t kept = graph.last_logits || graph.names.logits_kept != nullptr ? 1 : shape.tokens;
  MILLRACE_RETURN_IF_ERROR(BindLogits(shape.rows, kept, graph));

  MILLRACE_RETURN_IF_ERROR(memory.Note(graph.bound.Run(static_cast<OrtRunHandle&>(handle))));
  MILLRACE_RETURN_IF_ERROR(ReadLogits(shape.rows, kept, logits));
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<uint32_t>(i);
    rows[i].cache = {present, row, rows[i].cache.length + shape.tokens};
    if (crossed != nullptr) rows[i].encoded = {crossed, row, rows[i].encoded.length};
  }
  Count(steps_, 1);
  return {};
}

// The caller upholds what is checked here; a mistake must not become wrong tokens.
Status DecoderSession::CheckRows(std::span<const DecoderRow> rows, StepShape& shape) const {
  if (rows.empty()) return {Code::kInternal, "A step has no rows"};
  shape.rows = static_cast<int64_t>(rows.size());
  shape.tokens = static_cast<int64_t>(rows.front().tokens.size());
  for (const DecoderRow& row : rows) {
    shape.cached = shape.cached || row.cache.block != nullptr;
    if (row.tokens.empty() || row.tokens.size() != rows.front().tokens.size()) {
      return {Code::kInternal, "The rows of a step differ in their number of new tokens"};
    }
    if (!facts_.mixed_lengths && row.cache.length != rows.front().cache.length) {
      return {Code::kInternal, "The rows of a step differ in the length of their caches"};
    }
    if (row.cache.block == nullptr ? row.cache.length != 0
                                   : row.cache.length > TensorsOf(*row.cache.block).tokens() ||
                                         row.cache.row >= TensorsOf(*row.cache.block).rows()) {
      return {Code::kInternal, "A row of a step has a place that its block does not have"};
    }
  }
  return {};
}

Status DecoderSession::JoinCaches(std::span<DecoderRow> rows, const StepShape& shape, Past& past) {
  for (const DecoderRow& row : rows) past.tokens = std::max(past.tokens, row.cache.length);
  if (!shape.cached) {
    // A graph that takes a cache gets one without tokens.
    if (first_.names.past.empty()) return {};
    MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format_.self, shape.rows, 0, past.gathered));
    past.values = past.gathered.values();
    return {};
  }
  if (AreFirstRows(rows, past.tokens)) {
    past.block = rows.front().cache.block;
    const TensorBlock& tensors = TensorsOf(*past.block);
    past.values = tensors.values();
    if (tensors.rows() != shape.rows) {
      MILLRACE_RETURN_IF_ERROR(tensors.MakePrefix(shape.rows, past.made));
      past.values = past.made;
    }
    Count(reused_, 1);
    return {};
  }
  MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format_.self, shape.rows, past.tokens, past.gathered));
  std::vector<BlockRow> sources;
  for (const DecoderRow& row : rows) {
    const CacheBlock* const block = row.cache.block.get();
    sources.push_back({block == nullptr ? nullptr : &TensorsOf(*block), row.cache.row});
  }
  uint64_t copied = 0;
  MILLRACE_RETURN_IF_ERROR(GatherRows(pool_->memory(), sources, Padding::kBefore, past.gathered, copied));
  Count(gathered_bytes_, copied);
  past.values = past.gathered.values();
  // Before the run, so that the old keys and values, the gathered ones and the new ones never exist together.
  for (DecoderRow& row : rows) row.cache.block.reset();
  return {};
}

Status DecoderSession::Resize(IndexTensor& tensor, const TensorSpec* spec, const Shape& shape) {
  return spec == nullptr ? Status() : tensor.Resize(api_, cpu_.get(), spec->type, shape);
}

// Inputs in the CPU's memory are bound in every step, because that is when ONNX Runtime copies them to a GPU.
Status DecoderSession::BindIndex(IndexTensor& tensor, const TensorSpec* spec, Graph& graph) {
  if (spec != nullptr) CountUpload(tensor.bytes());
  return graph.bound.Input(spec, tensor.value());
}

Status DecoderSession::BindIndices(std::span<const DecoderRow> rows, const StepShape& shape, int64_t past,
                                   Graph& graph) {
  const DecoderGraph& names = graph.names;
  const Shape vector_shape{1, {shape.tokens}};
  const Shape new_tokens{2, {shape.rows, shape.tokens}};
  const Shape all_tokens{2, {shape.rows, past + shape.tokens}};
  MILLRACE_RETURN_IF_ERROR(Resize(ids_, names.ids, new_tokens));
  MILLRACE_RETURN_IF_ERROR(Resize(positions_, names.positions, new_tokens));
  MILLRACE_RETURN_IF_ERROR(Resize(cache_position_, names.cache_position, vector_shape));
  MILLRACE_RETURN_IF_ERROR(Resize(mask_, names.mask, all_tokens));
  MILLRACE_RETURN_IF_ERROR(Resize(padding_, names.padding, {2, {shape.rows, 1}}));
  if (names.mask != nullptr) mask_.SetOnes();
  const auto tokens = static_cast<size_t>(shape.tokens);
  for (size_t row = 0; row < rows.size(); ++row) {
    const int64_t length = rows[row].cache.length;
    for (size_t i = 0; i < tokens; ++i) {
      ids_.Set(row * tokens + i, rows[row].tokens[i]);
      if (names.positions != nullptr) positions_.Set(row * tokens + i, length + static_cast<int64_t>(i));
    }
    if (names.padding != nullptr) padding_.Set(row, past - length);
    const size_t start = row * static_cast<size_t>(past + shape.tokens);
    for (int64_t i = 0; i < past - length && names.mask != nullptr; ++i) mask_.Set(start + static_cast<size_t>(i), 0);
  }
  if (names.cache_position != nullptr) {
    for (size_t i = 0; i < tokens; ++i) cache_position_.Set(i, past + static_cast<int64_t>(i));
  }
  MILLRACE_RETURN_IF_ERROR(BindIndex(ids_, names.ids, graph));
  MILLRACE_RETURN_IF_ERROR(BindIndex(mask_, names.mask, graph));
  MILLRACE_RETURN_IF_ERROR(BindIndex(positions_, names.positions, graph));
  MILLRACE_RETURN_IF_ERROR(BindIndex(padding_, names.padding, graph));
  return BindIndex(cache_position_, names.cache_position, graph);
}

Status DecoderSession::BindLogits(int64_t rows, int64_t kept, Graph& graph) {
  const size_t bytes = static_cast<size_t>(rows * kept * format_.vocabulary) * ElementSize(format_.logits);
  // The memory of the last step's logits goes back first.
  logits_ = {};
  MILLRACE_RETURN_IF_ERROR(DecoderPiece::Take(pool_, bytes, logits_));
  const TensorView view{format_.logits, {3, {rows, kept, format_.vocabulary}}, logits_.data(), bytes, nullptr};
  OrtValuePtr value;
  MILLRACE_RETURN_IF_ERROR(MakeTensor(api_, pool_->memory().info(), view, value));
  return graph.bound.Output(graph.names.logits, value.get());
}

// Reads the last of each row's `kept` logits.
Status DecoderSession::ReadLogits(int64_t rows, int64_t kept, std::span<const float>& logits) {
  const size_t width = static_cast<size_t>(format_.vocabulary) * ElementSize(format_.logits);
  const auto before = static_cast<size_t>(kept - 1);
  const std::byte* data = nullptr;
  const Box source{logits_.data() + before * width, static_cast<size_t>(kept) * width, static_cast<size_t>(rows)};
  const BoxSize size{width, static_cast<size_t>(rows), 1};
  MILLRACE_RETURN_IF_ERROR(pool_->memory().Read(source, size, data));
  if (!pool_->memory().on_cpu()) Count(to_host_bytes_, size.bytes());

  const auto count = static_cast<size_t>(rows * format_.vocabulary);
  if (format_.logits == ElementType::kFloat32) {
    logits = {reinterpret_cast<const float*>(data), count};
    return {};
  }
  converted_.resize(count);
  const auto* const narrow = reinterpret_cast<const uint16_t*>(data);
  const auto widen = format_.logits == ElementType::kFloat16 ? &HalfToFloat : &BfloatToFloat;
  std::transform(narrow, narrow + count, converted_.begin(), widen);
  logits = converted_;
  return {};
}

}  // namespace millrace
