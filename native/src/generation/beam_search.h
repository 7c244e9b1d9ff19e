// Beam search over the sequences of one request.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generation/logits.h"
#include "generation/search_memory.h"

namespace millrace {

// Keeps the `num_beams` most likely unfinished sequences and the `num_beams` best finished ones. It is the search of
// GenerationMixin._beam_search in transformers 5.24, with its heuristics for the end and with the same single-precision
// sums, so that it returns the same sequence for equal logits. Among equal scores the one with the smaller index wins,
// as it does with torch.topk on a CPU unless many scores are equal.
class BeamSearch {
 public:
  // `prompt` is the beginning of the decoder's sequence, at least one token. `options` must outlive the object.
  BeamSearch(const GenerationOptions& options, std::span<const int32_t> prompt);

  // Adds a token to each unfinished sequence. Row i of `logits`, of `vocabulary` numbers, is that of unfinished sequence
  // i; the first time, when all are the prompt, there is one row. Returns kInternal if the logits have no softmax.
  // Throws std::bad_alloc.
  Status Advance(std::span<const float> logits, int64_t vocabulary, const LogitsProcessors& processors,
                 SearchMemory& memory);

  // Returns whether the search has ended.
  bool done() const noexcept { return done_; }

  // The unfinished sequences, best first: their tokens including the prompt, and which of the sequences before the last
  // Advance each continues.
  size_t size() const noexcept { return running_.size(); }
  std::span<const int32_t> tokens(size_t beam) const noexcept { return running_[beam].tokens; }
  size_t parent(size_t beam) const noexcept { return running_[beam].parent; }

  // The best finished sequence, without the prompt but with a token that ended it, and its score. Once the search has
  // ended there is one, unless the processors forbade every token.
  std::span<const int32_t> best() const noexcept {
    return std::span(finished_.front().tokens).subspan(prompt_length_);
  }
  float score() const noexcept { return finished_.front().score; }

 private:
  struct Running {
    std::vector<int32_t> tokens;
    float score = 0;
    size_t parent = 0;
  };
  struct Finished {
    std::vector<int32_t> tokens;
    float score = 0;
    bool finished = false;
  };
  // A continuation of an unfinished sequence.
  struct Continuation {
    float score = 0;
    size_t beam = 0;
    int32_t token = 0;
    // Whether it ends the sequence.
    bool ends = false;
  };

  Status Continue(std::span<const float> logits, int64_t vocabulary,
                  const LogitsProcessors& processors, SearchMemory& memory);
  void KeepUnfinished(SearchMemory& memory);
  void KeepFinished(SearchMemory& memory);
  void CheckEnd();
  // Returns the length penalty of so many generated tokens.
  float PenaltyOf(int64_t generated) const noexcept;
  std::vector<int32_t> TokensOf(const Continuation& continuation) const;
  bool AllFinished() const noexcept;

  const GenerationOptions& options_;
  const size_t beams_;
  const size_t prompt_length_;
  // The generated tokens of each unfinished sequence.
  int64_t generated_ = 0;
  std::vector<Running> running_;
  std::vector<Finished> finished_;
  std::vector<Continuation> continuations_;
  // Whether an unfinished sequence may still become better than the finished ones.
  bool improvable_ = true;
  bool done_ = false;
};

}  // namespace millrace
