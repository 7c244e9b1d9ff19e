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
  std::vector<int32_t> prompt;
  size_t most = 24;
  int32_t end = 1;

  std::vector<int32_t> tokens = {};
  CacheRow cache = {};
  EncodedRow encoded = {};

  bool done() const { return tokens.size() == most || (!tokens.empty() && tokens.back() == end); }
  // What the next step reads.
  std::vector<int32_t> next(bool encoder_decoder) const {
    if (!tokens.empty()) return {tokens.back()};
    return encoder_decoder ? std::vector<int32_t>{0} : prompt;
  }
};

class GreedySearch {
 public:
  explicit GreedySearch(Decoder& decoder) : decoder_(decoder), handle_(decoder.NewHandle()) {}

  // Encodes the prompts of sequences of an encoder–decoder model, in one run.
  Status Encode(std::vector<GreedySequence*> sequences) {
    std::vector<std::span<const int32_t>> texts;
    for (const GreedySequence* sequence : sequences) texts.emplace_back(sequence->prompt);
    std::vector<EncodedRow> rows(texts.size());
    MILLRACE_RETURN_IF_ERROR(decoder_.Encode(texts, *handle_, rows));
    for (size_t i = 0; i < rows.size(); ++i) sequences[i]->encoded = rows[i];
    return {};
  }

  // Runs one step for sequences that read the same number of tokens, and appends the best token to each.
  Status Step(std::vector<GreedySequence*> sequences) {
    std::vector<std::vector<int32_t>> tokens;
    std::vector<DecoderRow> rows;
    for (const GreedySequence* sequence : sequences) {
      tokens.push_back(sequence->next(decoder_.facts().encoder_decoder));
    }
    for (size_t i = 0; i < sequences.size(); ++i) {
      rows.push_back({tokens[i], std::move(sequences[i]->cache), std::move(sequences[i]->encoded)});
    }
    MILLRACE_RETURN_IF_ERROR(decoder_.Step(rows, *handle_, logits));
    const size_t width = logits.size() / rows.size();
    for (size_t i = 0; i < sequences.size(); ++i) {
      const auto own = logits.subspan(i * width, width);
      const auto best = std::max_element(own.begin(), own.end());
      sequences[i]->tokens.push_back(static_cast<int32_t>(best - own.begin()));
      sequences[i]->cache = std::move(rows[i].cache);
      sequences[i]->encoded = std::move(rows[i].encoded);
    }
    return {};
  }

  // Runs a sequence to its end by itself.
  Status Finish(GreedySequence& sequence) {
    if (decoder_.facts().encoder_decoder) MILLRACE_RETURN_IF_ERROR(Encode({&sequence}));
    while (!sequence.done()) MILLRACE_RETURN_IF_ERROR(Step({&sequence}));
    return {};
  }

  RunHandle& handle() { return *handle_; }
  // Those of the last step.
  std::span<const float> logits;

 private:
  Decoder& decoder_;
  const std::unique_ptr<RunHandle> handle_;
};

}  // namespace millrace::test
