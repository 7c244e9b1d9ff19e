// What a decoder session does with texts: it encodes them, and passes what the encoder has made of them to the decoder.
#include <algorithm>
#include <utility>

#include "ort/decoder_session.h"

namespace millrace {
namespace {

const EncodedTexts& TextsOf(const DecoderRow& row) noexcept {
  return static_cast<const EncodedTexts&>(*row.encoded.block);
}

uint64_t TextOf(const DecoderRow& row) noexcept { return TextsOf(row).texts[row.encoded.row]; }

// Returns whether the block of the first row has the texts of all rows, in order, and no others.
bool AreTheirTexts(std::span<const DecoderRow> rows) {
  const EncodedTexts& first = TextsOf(rows.front());
  if (first.texts.size() != rows.size()) return false;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (TextOf(rows[i]) != first.texts[i]) return false;
  }
  return true;
}

}  // namespace

Status DecoderSession::MakeTexts(std::span<const int64_t> lengths, const CacheFormat& format,
                                 std::shared_ptr<EncodedTexts>& texts) {
  auto made = std::make_shared<EncodedTexts>();
  made->number = ++blocks_;
  made->lengths.assign(lengths.begin(), lengths.end());
  const auto rows = static_cast<int64_t>(lengths.size());
  const int64_t tokens = *std::max_element(lengths.begin(), lengths.end());
  MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format, rows, tokens, made->tensors));
  MILLRACE_RETURN_IF_ERROR(made->mask.Resize(api_, cpu_.get(), first_.names.encoder_mask->type, {2, {rows, tokens}}));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t token = 0; token < tokens; ++token) {
      made->mask.Set(static_cast<size_t>(row * tokens + token), token < lengths[static_cast<size_t>(row)] ? 1 : 0);
    }
  }
  texts = std::move(made);
  return {};
}

Status DecoderSession::Encode(std::span<const std::span<const int32_t>> texts, RunHandle& handle,
                              std::span<EncodedRow> rows) {
  const GatePass pass(gate_);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  DecoderMemory& memory = pool_->memory();
  MILLRACE_RETURN_IF_ERROR(memory.Use());
  std::vector<int64_t> lengths;
  for (const auto& text : texts) lengths.push_back(static_cast<int64_t>(text.size()));
  std::shared_ptr<EncodedTexts> encoded;
  MILLRACE_RETURN_IF_ERROR(MakeTexts(lengths, format_.hidden, encoded));

  const Shape shape{2, {static_cast<int64_t>(texts.size()), encoded->tensors.tokens()}};
  MILLRACE_RETURN_IF_ERROR(Resize(encoder_ids_, encoder_names_.ids, shape));
  const auto width = static_cast<size_t>(shape.dims[1]);
  for (size_t row = 0; row < texts.size(); ++row) {
    encoded->texts.push_back(++texts_);
    for (size_t i = 0; i < width; ++i) {
      encoder_ids_.Set(row * width + i, i < texts[row].size() ? texts[row][i] : 0);
    }
  }
  OrtValuePtr hidden;
  MILLRACE_RETURN_IF_ERROR(encoded->tensors.MakeHidden(shape.dims[0], shape.dims[1], hidden));
  MILLRACE_RETURN_IF_ERROR(encoder_.Input(encoder_names_.ids, encoder_ids_.value()));
  MILLRACE_RETURN_IF_ERROR(encoder_.Input(encoder_names_.mask, encoded->mask.value()));
  MILLRACE_RETURN_IF_ERROR(encoder_.Output(encoder_names_.hidden, hidden.get()));
  MILLRACE_RETURN_IF_ERROR(memory.Note(encoder_.Run(static_cast<OrtRunHandle&>(handle))));
  MILLRACE_RETURN_IF_ERROR(memory.Finish());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = {encoded, static_cast<uint32_t>(i), lengths[i]};
  return {};
}

Status DecoderSession::JoinTexts(std::span<DecoderRow> rows, bool cross, std::shared_ptr<const EncodedTexts>& texts) {
  for (const DecoderRow& row : rows) {
    if (row.encoded.block == nullptr || row.encoded.row >= TextsOf(row).texts.size() || TextsOf(row).cross != cross) {
      return {Code::kInternal, "A row of a step has no text that the encoder has seen"};
    }
  }
  if (AreTheirTexts(rows)) {
    texts = std::static_pointer_cast<const EncodedTexts>(rows.front().encoded.block);
    return {};
  }
  std::vector<int64_t> lengths;
  std::vector<BlockRow> sources;
  std::vector<uint64_t> held;
  for (const DecoderRow& row : rows) {
    lengths.push_back(row.encoded.length);
    sources.push_back({&TextsOf(row).tensors, row.encoded.row});
    held.push_back(TextOf(row));
  }
  std::shared_ptr<EncodedTexts> gathered;
  MILLRACE_RETURN_IF_ERROR(MakeTexts(lengths, cross ? format_.cross : format_.hidden, gathered));
  gathered->cross = cross;
  gathered->texts = std::move(held);
  uint64_t copied = 0;
  MILLRACE_RETURN_IF_ERROR(GatherRows(pool_->memory(), sources, Padding::kAfter, gathered->tensors, copied));
  Count(gathered_bytes_, copied);
  // Before the run, so that the old states and the gathered ones do not exist longer than need be.
  for (size_t i = 0; i < rows.size(); ++i) rows[i].encoded = {gathered, static_cast<uint32_t>(i), lengths[i]};
  texts = std::move(gathered);
  return {};
}

// Binds the texts unless they are bound from the step before.
Status DecoderSession::BindTexts(const EncodedTexts& texts, Graph& graph) {
  if (std::exchange(graph.texts, 0) == texts.number) {
    graph.texts = texts.number;
    return {};
  }
  const DecoderGraph& names = graph.names;
  const int64_t rows = texts.tensors.rows();
  MILLRACE_RETURN_IF_ERROR(graph.bound.Input(names.encoder_mask, texts.mask.value()));
  CountUpload(texts.mask.bytes());
  OrtValuePtr hidden;
  if (texts.cross) {
    MILLRACE_RETURN_IF_ERROR(graph.bound.Inputs(names.cross_past, texts.tensors.values()));
    if (names.hidden != nullptr) MILLRACE_RETURN_IF_ERROR(MakePlaceholder(rows, texts.tensors.tokens(), hidden));
  } else {
    // A graph that chooses by `use_cache_branch` wants cross keys and values also if there are none.
    TensorBlock none;
    if (!names.cross_past.empty()) {
      MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format_.cross, rows, 0, none));
      MILLRACE_RETURN_IF_ERROR(graph.bound.Inputs(names.cross_past, none.values()));
    }
    MILLRACE_RETURN_IF_ERROR(texts.tensors.MakeHidden(rows, texts.tensors.tokens(), hidden));
  }
  MILLRACE_RETURN_IF_ERROR(graph.bound.Input(names.hidden, hidden.get()));
  graph.texts = texts.number;
  return {};
}

// Makes hidden states of zeros. A graph that has cross keys and values reads no more of them than the shape.
Status DecoderSession::MakePlaceholder(int64_t rows, int64_t tokens, OrtValuePtr& value) {
  if (placeholder_.rows() * placeholder_.tokens() < rows * tokens) {
    placeholder_ = {};
    MILLRACE_RETURN_IF_ERROR(TensorBlock::Make(api_, pool_, format_.hidden, 1, rows * tokens, placeholder_));
    MILLRACE_RETURN_IF_ERROR(pool_->memory().Clear(placeholder_.At(0, 0), placeholder_.SizeOf(1, rows * tokens)));
  }
  return placeholder_.MakeHidden(rows, tokens, value);
}

// Binds the cross keys and values that the first step of these texts makes.
Status DecoderSession::BindCross(const EncodedTexts& texts, Graph& graph,
                                 std::shared_ptr<const EncodedTexts>& crossed) {
  std::shared_ptr<EncodedTexts> made;
  MILLRACE_RETURN_IF_ERROR(MakeTexts(texts.lengths, format_.cross, made));
  made->cross = true;
  made->texts = texts.texts;
  MILLRACE_RETURN_IF_ERROR(graph.bound.Outputs(graph.names.cross_present, made->tensors.values()));
  crossed = std::move(made);
  return {};
}

}  // namespace millrace
