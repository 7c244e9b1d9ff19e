#include "generation/logits.h"

#include <algorithm>

#include "batching/vector_math.h"

namespace millrace {
namespace {

// Tokens outside the vocabulary cannot be generated.
void Forbid(std::span<const int32_t> tokens, std::span<float> scores) noexcept {
  for (const int32_t token : tokens) {
    if (static_cast<size_t>(token) < scores.size()) scores[static_cast<size_t>(token)] = kMinusInfinity;
  }
}

void Force(int32_t token, std::span<float> scores) noexcept {
  std::ranges::fill(scores, kMinusInfinity);
  scores[static_cast<size_t>(token)] = 0;
}

bool EndsWith(std::span<const int32_t> sequence, std::span<const int32_t> end) noexcept {
  return sequence.size() >= end.size() && std::ranges::equal(sequence.last(end.size()), end);
}

}  // namespace

LogitsProcessors::LogitsProcessors(const GenerationOptions& options,
                                   std::span<const int32_t> input, int64_t prompt_length)
    : options_(options), prompt_length_(prompt_length) {
  // A forced first token is not the one at which the text begins.
  const bool forced_begin = prompt_length <= 1 && options.forced_bos_token_id >= 0;
  begin_ = prompt_length + (forced_begin ? 1 : 0);
  const auto size = static_cast<size_t>(options.encoder_no_repeat_ngram_size);
  if (size == 0) return;
  for (size_t i = 0; i + size <= input.size(); ++i) {
    const auto ngram = input.subspan(i, size);
    input_ngrams_[{ngram.begin(), ngram.end() - 1}].push_back(ngram.back());
  }
}

bool LogitsProcessors::empty() const noexcept {
  return options_.repetition_penalty == 1 && options_.no_repeat_ngram_size == 0 &&
         input_ngrams_.empty() && options_.bad_words_ids.empty() && options_.min_new_tokens == 0 &&
         options_.forced_bos_token_id < 0 && options_.forced_eos_token_id < 0 &&
         options_.suppress_tokens.empty() && options_.begin_suppress_tokens.empty();
}

void LogitsProcessors::Apply(std::span<const int32_t> sequence, std::span<float> scores,
                             TokenMarks& marks) const {
  const auto length = static_cast<int64_t>(sequence.size());
  const int64_t generated = length - prompt_length_;
  if (options_.repetition_penalty != 1) Penalise(sequence, scores, marks);
  if (options_.no_repeat_ngram_size > 0) ForbidRepeatedNgrams(sequence, scores);
  if (!input_ngrams_.empty()) ForbidInputNgrams(sequence, scores);
  if (!options_.bad_words_ids.empty()) ForbidBadWords(sequence, scores);
  if (generated < options_.min_new_tokens) Forbid(options_.eos_token_ids, scores);
  if (options_.forced_bos_token_id >= 0 && length == 1) Force(options_.forced_bos_token_id, scores);
  if (options_.forced_eos_token_id >= 0 && generated == options_.max_new_tokens - 1) {
    Force(options_.forced_eos_token_id, scores);
  }
  Forbid(options_.suppress_tokens, scores);
  if (length == begin_) Forbid(options_.begin_suppress_tokens, scores);
}

// Each token of the sequence counts once, however often it occurs (Keskar et al. 2019, CTRL).
void LogitsProcessors::Penalise(std::span<const int32_t> sequence, std::span<float> scores,
                                TokenMarks& marks) const {
  const auto penalty = static_cast<float>(options_.repetition_penalty);
  marks.Clear(scores.size());
  for (const int32_t token : sequence) {
    if (static_cast<size_t>(token) >= scores.size() || !marks.Mark(token)) continue;
    float& score = scores[static_cast<size_t>(token)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

// A token completes an n-gram that exists if it followed the last n-1 tokens before.
void LogitsProcessors::ForbidRepeatedNgrams(std::span<const int32_t> sequence,
                                            std::span<float> scores) const {
  const auto size = static_cast<size_t>(options_.no_repeat_ngram_size);
  if (sequence.size() < size) return;
  const auto prefix = sequence.last(size - 1);
  for (size_t i = 0; i + size <= sequence.size(); ++i) {
    if (!std::ranges::equal(sequence.subspan(i, size - 1), prefix)) continue;
    Forbid(sequence.subspan(i + size - 1, 1), scores);
  }
}

void LogitsProcessors::ForbidInputNgrams(std::span<const int32_t> sequence,
                                           std::span<float> scores) const {
  const auto size = static_cast<size_t>(options_.encoder_no_repeat_ngram_size);
  if (sequence.size() + 1 < size) return;
  const auto prefix = sequence.last(size - 1);
  const auto found = input_ngrams_.find({prefix.begin(), prefix.end()});
  if (found != input_ngrams_.end()) Forbid(found->second, scores);
}

void LogitsProcessors::ForbidBadWords(std::span<const int32_t> sequence,
                                      std::span<float> scores) const {
  for (const std::vector<int32_t>& words : options_.bad_words_ids) {
    const std::span<const int32_t> all(words);
    const bool ends_sequence = words.size() == 1 && std::ranges::count(options_.eos_token_ids, words[0]) > 0;
    if (!ends_sequence && EndsWith(sequence, all.first(all.size() - 1))) Forbid(all.last(1), scores);
  }
}

}  // namespace millrace
