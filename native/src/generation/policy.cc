#include "generation/policy.h"

#include <algorithm>
#include <limits>

namespace millrace {
namespace {

using Need = Candidate::Need;

constexpr size_t kNobody = std::numeric_limits<size_t>::max();

class Chooser {
 public:
  Chooser(std::span<const Candidate> candidates, const StepHistory& history,
          const StepLimits& limits, Step& step)
      : candidates_(candidates), history_(history), limits_(limits), step_(step) {}

  void Choose() {
    step_.kind = Step::Kind::kNone;
    step_.tokens = 0;
    step_.members.clear();
    const size_t first = FirstPrefill();
    tokens_wait_ = std::ranges::any_of(
        candidates_, [](const Candidate& candidate) { return candidate.need == Need::kToken; });
    if (first != kNobody && MayPrefill(candidates_[first])) {
      if (candidates_[first].need == Need::kEncoder) return ChooseTexts(first);
      return ChoosePrompts(first);
    }
    if (!tokens_wait_) return;
    step_.kind = Step::Kind::kToken;
    step_.tokens = 1;
    if (limits_.mixed_lengths) return AddWhere([](const Candidate&) { return true; });
    const int64_t length = LengthOfGroup();
    AddWhere([length](const Candidate& candidate) { return candidate.seen == length; });
  }

 private:
  size_t FirstPrefill() const noexcept {
    const auto first = std::ranges::find_if(
        candidates_, [](const Candidate& candidate) { return candidate.need != Need::kToken; });
    return first == candidates_.end() ? kNobody : static_cast<size_t>(first - candidates_.begin());
  }

  // The tokens that a run may have without delaying those that wait for theirs too long.
  int64_t Room() const noexcept {
    return limits_.max_prefill_tokens - (tokens_wait_ ? history_.prefill_tokens : 0);
  }

  // Returns the tokens of the first run of a request that needs one.
  int64_t FirstPart(const Candidate& candidate) const noexcept {
    const bool parts = limits_.chunks && candidate.need == Need::kPrompt;
    return parts ? std::min(candidate.unseen, limits_.max_prefill_tokens) : candidate.unseen;
  }

  bool MayPrefill(const Candidate& candidate) const noexcept {
    if (!tokens_wait_ || history_.prefills == 0) return true;
    return history_.prefills < kMostPrefills && FirstPart(candidate) <= Room();
  }

  void ChooseTexts(size_t first) {
    step_.kind = Step::Kind::kEncoder;
    for (size_t i = first; i < candidates_.size(); ++i) {
      if (candidates_[i].need != Need::kEncoder) continue;
      const int64_t longest = std::max(step_.tokens, candidates_[i].unseen);
      const auto texts = static_cast<int64_t>(step_.members.size()) + 1;
      if (texts > 1 && texts * longest > Room()) continue;
      step_.tokens = longest;
      step_.members.push_back(static_cast<uint32_t>(i));
    }
  }

  void ChoosePrompts(size_t first) {
    step_.kind = Step::Kind::kPrompt;
    const Candidate& head = candidates_[first];
    step_.tokens = FirstPart(head);
    const bool whole = step_.tokens == head.unseen;
    for (size_t i = first; i < candidates_.size(); ++i) {
      const Candidate& candidate = candidates_[i];
      const bool fits = candidate.need == Need::kPrompt && candidate.unseen == step_.tokens &&
                        (limits_.mixed_lengths || candidate.seen == head.seen);
      const auto rows = static_cast<int64_t>(step_.members.size()) + 1;
      const bool shares = whole && fits && rows * step_.tokens <= Room();
      if (i == first || shares) step_.members.push_back(static_cast<uint32_t>(i));
    }
  }

  template <class Belongs>
  void AddWhere(Belongs belongs) {
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].need == Need::kToken && belongs(candidates_[i])) {
        step_.members.push_back(static_cast<uint32_t>(i));
      }
    }
  }

  int64_t RowsOfLength(int64_t length) const noexcept {
    int64_t rows = 0;
    for (const Candidate& candidate : candidates_) {
      if (candidate.need == Need::kToken && candidate.seen == length) rows += candidate.rows;
    }
    return rows;
  }

  int64_t LengthOfGroup() const noexcept {
    if ((history_.token_runs + 1) % kTurnEvery == 0) return LongestWaiting();
    int64_t largest = 0;
    int64_t length = 0;
    for (const Candidate& candidate : candidates_) {
      if (candidate.need != Need::kToken) continue;
      const int64_t rows = RowsOfLength(candidate.seen);
      if (rows > largest || (rows == largest && candidate.seen < length)) {
        largest = rows;
        length = candidate.seen;
      }
    }
    return ShortestNear(length, largest);
  }

  int64_t LongestWaiting() const noexcept {
    const Candidate* longest = nullptr;
    for (const Candidate& candidate : candidates_) {
      if (candidate.need != Need::kToken) continue;
      if (longest == nullptr || candidate.last_run < longest->last_run) longest = &candidate;
    }
    return longest->seen;
  }

  // Returns the length of the shortest group for which the largest one, of this length, waits.
  int64_t ShortestNear(int64_t length, int64_t rows) const noexcept {
    int64_t shortest = length;
    for (const Candidate& candidate : candidates_) {
      if (candidate.need != Need::kToken || candidate.seen >= shortest) continue;
      if ((length - candidate.seen) * rows <= kCatchUp * RowsOfLength(candidate.seen)) {
        shortest = candidate.seen;
      }
    }
    return shortest;
  }

  const std::span<const Candidate> candidates_;
  const StepHistory& history_;
  const StepLimits& limits_;
  Step& step_;
  bool tokens_wait_ = false;
};

}  // namespace

void ChooseStep(std::span<const Candidate> candidates, const StepHistory& history,
                const StepLimits& limits, Step& step) {
  Chooser(candidates, history, limits, step).Choose();
}

}  // namespace millrace
