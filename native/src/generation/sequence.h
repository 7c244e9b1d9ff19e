// A generation in progress.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generation/beam_search.h"
#include "generation/decoder.h"
#include "generation/logits.h"
#include "generation/request.h"
#include "generation/sampler.h"

namespace millrace {

// The state of a request between its start and its end: its tokens, the places of its rows, and how its next tokens are
// chosen. Only the generator's thread uses it.
class Sequence {
 public:
  // `request` must outlive the object. `seed` is used if the options have none. Throws std::bad_alloc.
  Sequence(GenerationRequest& request, const DecoderFacts& facts, uint64_t seed);

  GenerationRequest& request() const noexcept { return request_; }

  // Whether its text has to be encoded before anything else.
  bool needs_encoder() const noexcept { return needs_encoder_; }
  // The rows that its next step has. It is 1 until the first token has been chosen, and then `num_beams`.
  size_t rows() const noexcept { return caches_.size(); }
  // The tokens that the decoder has seen of each row, and those that it has not.
  int64_t seen() const noexcept { return caches_.front().length; }
  int64_t unseen() const noexcept { return static_cast<int64_t>(TokensOf(0).size()) - seen(); }
  // Whether its first token has been chosen.
  bool decoding() const noexcept { return generated_ > 0; }
  int64_t generated() const noexcept { return generated_; }

  void SetEncoded(EncodedRow row) noexcept;

  // Adds its rows to a step, with `count` new tokens each, and gives the places of its keys and values up to them. The
  // tokens are valid until TakeRows. Throws std::bad_alloc.
  void AddRows(int64_t count, std::vector<DecoderRow>& rows);

  // Takes back what AddRows has added, after the step, with the logits of the rows. If the decoder has seen all tokens,
  // chooses the next ones. Returns an error if none can be chosen. Throws std::bad_alloc.
  Status TakeRows(std::span<DecoderRow> rows, std::span<const float> logits, SearchMemory& memory);

  // Returns whether the last TakeRows has ended it. The request then has its tokens, finish reason and score.
  bool ended() const noexcept { return ended_; }
  // Returns the tokens of request().tokens that it has not returned before, if the request streams and has no beams.
  std::span<const int32_t> TakeNews() noexcept;

  // What it refers to between two steps. After the end it is what the last step has left.
  const CacheRow& cache() const noexcept { return caches_.front(); }
  const EncodedRow& encoded() const noexcept { return encoded_.front(); }

 private:
  std::span<const int32_t> TokensOf(size_t row) const noexcept {
    return beams_ && generated_ > 0 ? beams_->tokens(row) : std::span<const int32_t>(tokens_);
  }
  Status ChooseToken(std::span<const float> logits, SearchMemory& memory);
  Status AdvanceBeams(std::span<const float> logits, SearchMemory& memory);
  void EndBeams();
  bool EndsSequence(int32_t token) const noexcept;
  // Whether the token after `generated` others is the forced last one.
  bool Forced(int32_t token, int64_t generated) const noexcept;

  GenerationRequest& request_;
  const int64_t vocabulary_;
  bool needs_encoder_;
  // The decoder's prompt and, without beams, the generated tokens.
  std::vector<int32_t> tokens_;
  int64_t generated_ = 0;
  size_t shown_ = 0;
  bool ended_ = false;
  // A place for each row.
  std::vector<CacheRow> caches_;
  std::vector<EncodedRow> encoded_;
  std::optional<LogitsProcessors> processors_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<BeamSearch> beams_;
};

}  // namespace millrace
