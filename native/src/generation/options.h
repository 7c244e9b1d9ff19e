// How a sequence is continued.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "batching/status.h"
#include "generation/decoder.h"

namespace millrace {

// When beam search ends: when a heuristic finds better sequences unlikely, as soon as there are as many finished
// sequences as beams, or when there cannot be better ones. The names in the API are false, true and 'never'.
enum class EarlyStopping : uint8_t { kHeuristic, kFirst, kExact };

// Names and meanings are those of GenerationConfig in transformers 5.24.
struct GenerationOptions {
  int64_t max_new_tokens = 128;
  // No end-of-sequence token is generated before this many tokens.
  int64_t min_new_tokens = 0;

  // 1 is greedy search or sampling, more is beam search, which does not sample.
  int32_t num_beams = 1;
  double length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::kHeuristic;

  bool do_sample = false;
  double temperature = 1;
  // 0 means all tokens.
  int64_t top_k = 50;
  double top_p = 1;
  // Equal seeds give equal tokens. Without one, each generation has a new one.
  std::optional<uint64_t> seed;

  double repetition_penalty = 1;
  // 0 allows all n-grams. The second concerns those of the input, which is the encoder's or, without one, the prompt.
  int64_t no_repeat_ngram_size = 0;
  int64_t encoder_no_repeat_ngram_size = 0;

  std::vector<int32_t> eos_token_ids;
  int32_t pad_token_id = 0;
  // From which the decoder of an encoder–decoder model starts; -1 if there is none.
  int32_t decoder_start_token_id = -1;
  // -1 means that none is forced.
  int32_t forced_bos_token_id = -1;
  int32_t forced_eos_token_id = -1;
  std::vector<int32_t> suppress_tokens;
  std::vector<int32_t> begin_suppress_tokens;
  std::vector<std::vector<int32_t>> bad_words_ids;

  static constexpr int64_t kMostNewTokens = 1 << 20;
  static constexpr int32_t kMostBeams = 64;

  // Returns kInvalidArgument with a sentence if an option is out of its range or does not fit the model. Ids of tokens
  // that end a sequence or are suppressed may lie outside the vocabulary, because no model generates those.
  Status Validate(const DecoderFacts& facts) const;
};

}  // namespace millrace
