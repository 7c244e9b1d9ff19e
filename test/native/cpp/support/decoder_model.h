// A decoder of the text fixtures, and greedy search with it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ort/decoder_session.h"
#include "support/fake_provider.h"
#include "support/text_reference.h"

namespace millrace::test {

// The forms in which an encoder–decoder model is exported.
enum class Form { kMerged, kTwoFiles };

inline bool IsEncoderDecoder(const std::string& model) { return model != "gpt2" && model != "llama"; }

inline DecoderOptions OptionsFor(const std::string& model, Form form = Form::kMerged) {
  const std::string folder = TextFolder(model) + "onnx/";
  DecoderOptions options;
  if (!IsEncoderDecoder(model)) {
    options.decoder.path = folder + "model.onnx";
    return options;
  }
  options.encoder.path = folder + "encoder_model.onnx";
  options.decoder.path = folder + (form == Form::kMerged ? "decoder_model_merged.onnx" : "decoder_model.onnx");
  if (form == Form::kTwoFiles) options.decoder_with_past.path = folder + "decoder_with_past_model.onnx";
  return options;
}

// A sequence that greedy search continues.
struct GreedySequence {
  // What the decoder reads: its prompt, or the start of an encoder–decoder model, and then the tokens.
  std::vector<int32_t> read;
  // What the encoder reads.
  std::vector<int32_t> text = {};
  size_t most = 24;
  int32_t end = 1;

  size_t seen = 0;
  std::vector<int32_t> tokens = {};
  CacheRow cache = {};
  EncodedRow encoded = {};

  bool done() const { return tokens.size() == most || (!tokens.empty() && tokens.back() == end); }
  // The tokens that the decoder has not seen.
  size_t left() const { return read.size() - seen; }
};

class GreedySearch {
 public:
  explicit GreedySearch(Decoder& decoder) : decoder_(decoder), handle_(decoder.NewHandle()) {}

  // Encodes the texts of sequences of an encoder–decoder model, in one run.
  Status Encode(const std::vector<GreedySequence*>& sequences) {
    if (!decoder_.facts().encoder_decoder) return {};
    std::vector<std::span<const int32_t>> texts;
    for (const GreedySequence* sequence : sequences) texts.emplace_back(sequence->text);
    std::vector<EncodedRow> rows(texts.size());
    MILLRACE_RETURN_IF_ERROR(decoder_.Encode(texts, *handle_, rows));
    for (size_t i = 0; i < rows.size(); ++i) sequences[i]->encoded = rows[i];
    return {};
  }

  // Runs one step, in which each sequence reads its next `count` tokens. Appends the best token to those that have no
  // more to read.
  Status Step(const std::vector<GreedySequence*>& sequences, size_t count) {
    std::vector<DecoderRow> rows;
    for (GreedySequence* sequence : sequences) {
      rows.push_back({std::span(sequence->read).subspan(sequence->seen, count), std::move(sequence->cache),
                      std::move(sequence->encoded)});
    }
    MILLRACE_RETURN_IF_ERROR(decoder_.Step(rows, *handle_, logits));
    const size_t width = logits.size() / rows.size();
    for (size_t i = 0; i < sequences.size(); ++i) {
      GreedySequence& sequence = *sequences[i];
      sequence.seen += count;
      sequence.cache = std::move(rows[i].cache);
      sequence.encoded = std::move(rows[i].encoded);
      if (sequence.left() > 0) continue;
      const auto own = logits.subspan(i * width, width);
      sequence.tokens.push_back(static_cast<int32_t>(std::max_element(own.begin(), own.end()) - own.begin()));
      sequence.read.push_back(sequence.tokens.back());
    }
    return {};
  }

  // Runs a sequence to its end by itself.
  Status Finish(GreedySequence& sequence) {
    MILLRACE_RETURN_IF_ERROR(Encode({&sequence}));
    while (!sequence.done()) MILLRACE_RETURN_IF_ERROR(Step({&sequence}, sequence.left()));
    return {};
  }

  RunHandle& handle() { return *handle_; }
  // Those of the last step.
  std::span<const float> logits;

 private:
  Decoder& decoder_;
  const std::unique_ptr<RunHandle> handle_;
};

// The sequences of a fixture, as its reference continues them.
class TextModel {
 public:
  explicit TextModel(const std::string& model)
      : encoder_decoder_(IsEncoderDecoder(model)),
        settings_(TextReferenceReader::ReadSettings(model)),
        reference_(TextReferenceReader::Read(model)) {}

  GreedySequence Sequence(size_t text) const {
    GreedySequence sequence;
    const std::vector<int32_t>& ids = reference_.texts[text];
    sequence.read = encoder_decoder_ ? std::vector<int32_t>{settings_.start} : ids;
    if (encoder_decoder_) sequence.text = ids;
    sequence.end = settings_.end;
    return sequence;
  }
  const TextReference& reference() const { return reference_; }
  size_t size() const { return reference_.texts.size(); }
  // Whether the reference's greedy tokens are those of nothing but the best token.
  bool plain() const { return settings_.plain; }

 private:
  const bool encoder_decoder_;
  const GenerationSettings settings_;
  const TextReference reference_;
};

}  // namespace millrace::test
