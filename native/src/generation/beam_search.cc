#include "generation/beam_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "batching/vector_math.h"

namespace millrace {
namespace {

// What takes a sequence out of the choice. Single precision absorbs the score that it is added to.
constexpr float kOut = -1e9f;

}  // namespace

BeamSearch::BeamSearch(const GenerationOptions& options, std::span<const int32_t> prompt)
    : options_(options),
      beams_(static_cast<size_t>(options.num_beams)),
      prompt_length_(prompt.size()),
      running_(beams_),
      finished_(beams_) {
  const std::vector<int32_t> tokens(prompt.begin(), prompt.end());
  for (size_t i = 0; i < beams_; ++i) {
    // All are the same sequence at first, of which only one may be continued.
    running_[i] = {tokens, i == 0 ? 0 : kOut, 0};
    finished_[i] = {tokens, kOut, false};
  }
}

Status BeamSearch::Advance(std::span<const float> logits, int64_t vocabulary,
                           const LogitsProcessors& processors, SearchMemory& memory) {
  MILLRACE_RETURN_IF_ERROR(Continue(logits, vocabulary, processors, memory));
  KeepFinished(memory);
  KeepUnfinished(memory);
  ++generated_;
  CheckEnd();
  return {};
}

// Finds the best continuations. There are enough of them that as many as there are beams do not end, even if every
// beam is continued by every token that ends a sequence.
Status BeamSearch::Continue(std::span<const float> logits, int64_t vocabulary,
                            const LogitsProcessors& processors, SearchMemory& memory) {
  const auto size = static_cast<size_t>(vocabulary);
  const size_t kept = std::max<size_t>(2, 1 + options_.eos_token_ids.size()) * beams_;
  const bool same = logits.size() == size;
  memory.scores.resize(size);
  memory.best.Reset(std::min(kept, beams_ * size));
  for (size_t beam = 0; beam < running_.size(); ++beam) {
    if (beam == 0 || !same) {
      if (!LogSoftmax(logits.subspan(beam * size, size), memory.scores)) {
        return {Code::kInternal, "The model returned logits that are not finite numbers"};
      }
      processors.Apply(running_[beam].tokens, memory.scores, memory.marks);
    }
    memory.best.Add(memory.scores, running_[beam].score, static_cast<int64_t>(beam * size));
  }
  continuations_.clear();
  const bool last = generated_ + 1 >= options_.max_new_tokens;
  for (const Scored& best : memory.best.Sorted()) {
    const auto token = static_cast<int32_t>(best.index % vocabulary);
    const bool ends = last || std::ranges::count(options_.eos_token_ids, token) > 0;
    continuations_.push_back({best.score, static_cast<size_t>(best.index / vocabulary), token, ends});
  }
  return {};
}

void BeamSearch::KeepUnfinished(SearchMemory& memory) {
  memory.best.Reset(beams_);
  for (size_t i = 0; i < continuations_.size(); ++i) {
    const Continuation& continuation = continuations_[i];
    memory.best.Add({&continuation.score, 1}, continuation.ends ? kOut : 0, static_cast<int64_t>(i));
  }
  std::vector<Running> next;
  next.reserve(beams_);
  for (const Scored& best : memory.best.Sorted()) {
    const Continuation& continuation = continuations_[static_cast<size_t>(best.index)];
    next.push_back({TokensOf(continuation), best.score, continuation.beam});
  }
  running_ = std::move(next);
}

void BeamSearch::KeepFinished(SearchMemory& memory) {
  const float penalty = PenaltyOf(generated_ + 1);
  const bool closed = AllFinished() && options_.early_stopping == EarlyStopping::kFirst;
  memory.best.Reset(beams_);
  for (size_t i = 0; i < finished_.size(); ++i) {
    memory.best.Add({&finished_[i].score, 1}, 0, static_cast<int64_t>(i));
  }
  // Only the best continuations count, not those that replace them if they end.
  const auto ends = [&](size_t i) { return continuations_[i].ends && i < beams_; };
  for (size_t i = 0; i < continuations_.size(); ++i) {
    float score = continuations_[i].score / penalty;
    if (closed) score += kOut;
    if (!improvable_) score += kOut;
    if (!ends(i)) score += kOut;
    memory.best.Add({&score, 1}, 0, static_cast<int64_t>(beams_ + i));
  }
  std::vector<Finished> next;
  next.reserve(beams_);
  for (const Scored& best : memory.best.Sorted()) {
    const auto index = static_cast<size_t>(best.index);
    if (index < beams_) {
      next.push_back(std::move(finished_[index]));
    } else {
      next.push_back({TokensOf(continuations_[index - beams_]), best.score, ends(index - beams_)});
    }
  }
  finished_ = std::move(next);
}

void BeamSearch::CheckEnd() {
  const bool hopes_for_length =
      options_.early_stopping == EarlyStopping::kExact && options_.length_penalty > 0;
  const float hoped =
      running_.front().score / PenaltyOf(hopes_for_length ? options_.max_new_tokens : generated_);
  const float worst = std::ranges::min_element(finished_, {}, &Finished::score)->score;
  improvable_ = improvable_ && std::ranges::any_of(finished_, [&](const Finished& sequence) {
                  return hoped > (sequence.finished ? worst : kOut);
                });
  const bool enough = AllFinished() && options_.early_stopping == EarlyStopping::kFirst;
  const bool all_end = std::ranges::all_of(continuations_, &Continuation::ends);
  done_ = !improvable_ || enough || all_end;
}

float BeamSearch::PenaltyOf(int64_t generated) const noexcept {
  return static_cast<float>(std::pow(static_cast<double>(generated), options_.length_penalty));
}

std::vector<int32_t> BeamSearch::TokensOf(const Continuation& continuation) const {
  const std::vector<int32_t>& before = running_[continuation.beam].tokens;
  std::vector<int32_t> tokens;
  tokens.reserve(before.size() + 1);
  tokens.assign(before.begin(), before.end());
  tokens.push_back(continuation.token);
  return tokens;
}

bool BeamSearch::AllFinished() const noexcept {
  return std::ranges::all_of(finished_, &Finished::finished);
}

}  // namespace millrace
