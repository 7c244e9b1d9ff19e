#include "generation/sequence.h"

#include <algorithm>
#include <utility>

#include "batching/vector_math.h"

namespace millrace {

Sequence::Sequence(GenerationRequest& request, const DecoderFacts& facts, uint64_t seed)
    : request_(request),
      vocabulary_(facts.vocabulary),
      needs_encoder_(facts.encoder_decoder),
      caches_(1),
      encoded_(1) {
  const GenerationOptions& options = request.options;
  if (facts.encoder_decoder) {
    tokens_ = {options.decoder_start_token_id};
  } else {
    tokens_ = request.prompt;
  }
  processors_.emplace(options, request.prompt, static_cast<int64_t>(tokens_.size()));
  if (options.num_beams > 1) {
    beams_ = std::make_unique<BeamSearch>(options, tokens_);
  } else if (options.do_sample) {
    sampler_ = std::make_unique<Sampler>(options, options.seed.value_or(seed));
  }
}

void Sequence::SetEncoded(EncodedRow row) noexcept {
  encoded_.front() = std::move(row);
  needs_encoder_ = false;
}

void Sequence::AddRows(int64_t count, std::vector<DecoderRow>& rows) {
  rows.reserve(rows.size() + caches_.size());
  for (size_t i = 0; i < caches_.size(); ++i) {
    const auto tokens = TokensOf(i).subspan(static_cast<size_t>(caches_[i].length),
                                            static_cast<size_t>(count));
    // The length stays, so that the object knows what it has seen if the step fails.
    const int64_t length = caches_[i].length;
    rows.push_back({tokens, std::move(caches_[i]), std::move(encoded_[i])});
    caches_[i].length = length;
  }
}

Status Sequence::TakeRows(std::span<DecoderRow> rows, std::span<const float> logits,
                          SearchMemory& memory) {
  for (size_t i = 0; i < rows.size(); ++i) {
    caches_[i] = std::move(rows[i].cache);
    encoded_[i] = std::move(rows[i].encoded);
  }
  if (unseen() > 0) return {};
  return beams_ ? AdvanceBeams(logits, memory) : ChooseToken(logits, memory);
}

Status Sequence::ChooseToken(std::span<const float> logits, SearchMemory& memory) {
  int64_t chosen = -1;
  if (!sampler_ && processors_->empty()) {
    chosen = ArgMax(logits);
  } else {
    std::vector<float>& scores = memory.scores;
    scores.assign(logits.begin(), logits.end());
    processors_->Apply(tokens_, scores, memory.marks);
    chosen = sampler_ ? sampler_->Draw(scores, memory) : ArgMax(scores);
  }
  if (chosen < 0) {
    if (MaxOf(logits) == kMinusInfinity) {
      return {Code::kInternal, "The model returned logits that are not numbers"};
    }
    return {Code::kInvalidArgument, "The options forbid every next token: allow at least one"};
  }
  const auto token = static_cast<int32_t>(chosen);
  const bool forced = Forced(token, generated_);
  ++generated_;
  if (forced || EndsSequence(token)) {
    request_.finish = forced ? FinishReason::kLength : FinishReason::kStop;
    ended_ = true;
    return {};
  }
  tokens_.push_back(token);
  request_.tokens.push_back(token);
  if (generated_ >= request_.options.max_new_tokens) {
    request_.finish = FinishReason::kLength;
    ended_ = true;
  }
  return {};
}

Status Sequence::AdvanceBeams(std::span<const float> logits, SearchMemory& memory) {
  MILLRACE_RETURN_IF_ERROR(beams_->Advance(logits, vocabulary_, *processors_, memory));
  ++generated_;
  if (beams_->done()) {
    EndBeams();
    return {};
  }
  std::vector<CacheRow> caches;
  std::vector<EncodedRow> encoded;
  for (size_t i = 0; i < beams_->size(); ++i) {
    // The prompt has one row, which all beams continue.
    const size_t parent = caches_.size() == 1 ? 0 : beams_->parent(i);
    caches.push_back(caches_[parent]);
    encoded.push_back(encoded_[parent]);
  }
  caches_ = std::move(caches);
  encoded_ = std::move(encoded);
  return {};
}

void Sequence::EndBeams() {
  std::span<const int32_t> best = beams_->best();
  request_.finish = FinishReason::kLength;
  if (!best.empty()) {
    const bool forced = Forced(best.back(), static_cast<int64_t>(best.size()) - 1);
    if (forced || EndsSequence(best.back())) {
      if (!forced) request_.finish = FinishReason::kStop;
      best = best.first(best.size() - 1);
    }
  }
  request_.tokens.assign(best.begin(), best.end());
  request_.score = beams_->score();
  ended_ = true;
}

bool Sequence::EndsSequence(int32_t token) const noexcept {
  return std::ranges::count(request_.options.eos_token_ids, token) > 0;
}

bool Sequence::Forced(int32_t token, int64_t generated) const noexcept {
  return token == request_.options.forced_eos_token_id &&
         generated == request_.options.max_new_tokens - 1;
}

std::span<const int32_t> Sequence::TakeNews() noexcept {
  if (!request_.stream || beams_) return {};
  const std::span<const int32_t> all(request_.tokens);
  return all.subspan(std::exchange(shown_, all.size()));
}

}  // namespace millrace
