// Changes of a decoder's graph that let rows of different lengths share a run, and save work.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// What is changed.
struct DecoderEdit {
  // The graph gets an input `attention_mask`, int64 [rows, cached and new tokens], and scores of attention are those of
  // a masked token where it is 0.
  bool mask = false;
  // The graph gets an input `millrace.padding`, int64 [rows, 1]: how many tokens of padding a row has before its
  // tokens. Positions that the graph counts by the length of the cache become less by it.
  bool positions = false;
  // Logits are those of the last token only.
  bool last_logits = false;

  bool any() const noexcept { return mask || positions || last_logits; }
};

// Edits an ONNX file with a decoder, if it has what can be changed. Exporters write encoder–decoder models without a
// mask over the decoder's cache, because transformers never pads there, and compute the logits of each token of a
// prompt.
//
// `wanted` says what may be changed, and `done` what was. Returns "" if that is nothing. Whether the edited decoder
// does the same as before has to be tried: the edit looks for patterns that exporters write, and does not understand
// the graph.
std::string EditDecoder(std::string_view model, const DecoderEdit& wanted, DecoderEdit& done);

}  // namespace millrace
