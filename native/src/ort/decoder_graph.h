// Finds out what the inputs and outputs of a generative model's graphs mean, by the names that exporters give them.
#pragma once

#include <cstdint>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// The inputs and outputs of a graph of a decoder. Pointers are into the graph's signature, and null if it has no such
// input or output. Where there are several, they are the key and the value of layer 0, of layer 1, and so on.
struct DecoderGraph {
  const TensorSpec* ids = nullptr;             // input_ids [rows, new tokens]
  const TensorSpec* mask = nullptr;            // attention_mask [rows, cached and new tokens]: 0 for padding
  const TensorSpec* positions = nullptr;       // position_ids [rows, new tokens]
  const TensorSpec* cache_position = nullptr;  // cache_position [new tokens]: where in the cache they go
  const TensorSpec* padding = nullptr;         // millrace.padding [rows, 1]: see decoder_edit.h
  const TensorSpec* logits_kept = nullptr;     // num_logits_to_keep: of how many last tokens there are logits
  const TensorSpec* branch = nullptr;          // use_cache_branch [1]: whether there is a cache
  const TensorSpec* hidden = nullptr;          // encoder_hidden_states [rows, encoder tokens, hidden size]
  const TensorSpec* encoder_mask = nullptr;    // encoder_attention_mask [rows, encoder tokens]
  const TensorSpec* logits = nullptr;          // [rows, new tokens, vocabulary]

  // [rows, heads, tokens, head size]: past_key_values.N.key and so on.
  std::vector<const TensorSpec*> past;
  std::vector<const TensorSpec*> present;
  // The keys and values of the encoder's tokens, which do not change: past_key_values.N.encoder.key and so on.
  std::vector<const TensorSpec*> cross_past;
  std::vector<const TensorSpec*> cross_present;
};

// The same for an encoder.
struct EncoderGraph {
  const TensorSpec* ids = nullptr;     // input_ids [rows, tokens]
  const TensorSpec* mask = nullptr;    // attention_mask [rows, tokens]
  const TensorSpec* hidden = nullptr;  // last_hidden_state [rows, tokens, hidden size]
};

// Return kInvalidArgument with the name of an input or output that is missing, unknown or has another type or rank than
// it should. `file` is the kind of file in messages, such as `decoder`.
Status ReadDecoderGraph(const Signature& signature, const char* file, DecoderGraph& graph);
Status ReadEncoderGraph(const Signature& signature, EncoderGraph& graph);

// The size of what is kept for each token: tensors [rows, heads, tokens, size].
struct CacheFormat {
  ElementType type = ElementType::kUndefined;
  size_t tensors = 0;
  int64_t heads = 0;
  int64_t size = 0;

  bool operator==(const CacheFormat&) const = default;
  int64_t BytesPerToken() const noexcept;
};

// What the graphs of a model agree on.
struct DecoderFormat {
  CacheFormat self;
  // Of encoder–decoder models. Otherwise they have no tensors.
  CacheFormat cross;
  CacheFormat hidden;
  ElementType logits = ElementType::kUndefined;
  int64_t vocabulary = 0;
};

// Checks that the graphs belong together. `first` runs if there is no cache, and `later` with a cache; they may be the
// same graph. `encoder` is null for a decoder-only model. Returns kInvalidArgument with what does not fit.
Status MatchGraphs(const DecoderGraph& first, const DecoderGraph& later, const EncoderGraph* encoder,
                   DecoderFormat& format);

}  // namespace millrace
