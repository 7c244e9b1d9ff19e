// The rules that change the scores of the next token.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "generation/options.h"
#include "generation/search_memory.h"

namespace millrace {

// The logits processors of a generation. Which there are, their meaning and their order are those of
// GenerationMixin._get_logits_processor in transformers 5.24, for the options that GenerationOptions has. Temperature,
// top-k and top-p follow them and belong to the Sampler.
class LogitsProcessors {
 public:
  // `input` is the encoder's input or, without an encoder, the prompt. `prompt_length` is the number of tokens in the
  // decoder's sequence before the first generated one. `options` must outlive the object.
  LogitsProcessors(const GenerationOptions& options, std::span<const int32_t> input,
                   int64_t prompt_length);

  // Returns whether Apply changes nothing, whatever the sequence.
  bool empty() const noexcept;

  // Changes the scores of the next token of `sequence`, which is the decoder's whole sequence including its prompt.
  // Scores of tokens that are forbidden become minus infinity. Throws std::bad_alloc.
  void Apply(std::span<const int32_t> sequence, std::span<float> scores, TokenMarks& marks) const;

 private:
  void Penalise(std::span<const int32_t> sequence, std::span<float> scores, TokenMarks& marks) const;
  void ForbidRepeatedNgrams(std::span<const int32_t> sequence, std::span<float> scores) const;
  void ForbidInputNgrams(std::span<const int32_t> sequence, std::span<float> scores) const;
  void ForbidBadWords(std::span<const int32_t> sequence, std::span<float> scores) const;

  const GenerationOptions& options_;
  const int64_t prompt_length_;
  // The token count at which begin_suppress_tokens are forbidden.
  int64_t begin_ = 0;
  // Each beginning of an n-gram of the input, with the tokens that complete one.
  std::map<std::vector<int32_t>, std::vector<int32_t>> input_ngrams_;
};

}  // namespace millrace
