#include "generation/sampler.h"

#include <algorithm>
#include <cmath>

#include "batching/vector_math.h"

namespace millrace {
namespace {

double WeightOf(const Scored& candidate, float most) noexcept {
  return std::exp(static_cast<double>(candidate.score) - static_cast<double>(most));
}

// Adds the tokens whose score is at least `least`.
void Collect(std::span<const float> scores, float least, std::vector<Scored>& candidates) {
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= least && scores[i] != kMinusInfinity) {
      candidates.push_back({scores[i], static_cast<int64_t>(i)});
    }
  }
}

}  // namespace

int64_t Sampler::Draw(std::span<float> scores, SearchMemory& memory) {
  Choose(scores, memory);
  const std::vector<Scored>& candidates = memory.candidates;
  if (candidates.empty()) return -1;
  const float most = candidates.front().score;
  double total = 0;
  for (const Scored& candidate : candidates) total += WeightOf(candidate, most);
  double left = random_.Uniform() * total;
  for (const Scored& candidate : candidates) {
    left -= WeightOf(candidate, most);
    if (left < 0) return candidate.index;
  }
  return candidates.back().index;
}

void Sampler::Choose(std::span<float> scores, SearchMemory& memory) const {
  memory.candidates.clear();
  if (temperature_ != 1) {
    for (float& score : scores) score /= temperature_;
  }
  const float most = MaxOf(scores);
  if (most == kMinusInfinity) return;
  const auto size = static_cast<int64_t>(scores.size());
  if (top_k_ > 0 && top_k_ < size) {
    memory.best.Reset(static_cast<size_t>(top_k_));
    memory.best.Add(scores, 0, 0);
    Collect(scores, memory.best.worst(), memory.candidates);
  } else if (top_p_ < 1) {
    // Tokens of less than (1 - p) / n of the probability have less than 1 - p together, so none of them stays.
    const double least = (1 - top_p_) / static_cast<double>(size) * SumOfExp(scores, most);
    // The margin is far more than the rounding of single precision.
    const double margin = 1e-3;
    Collect(scores, most + static_cast<float>(std::log(least) - margin), memory.candidates);
  } else {
    Collect(scores, kMinusInfinity, memory.candidates);
  }
  std::ranges::sort(memory.candidates, Better);
  if (top_p_ < 1) ChooseNucleus(scores, most, memory);
}

// Leaves the fewest of the most likely tokens, at least one, without which at most 1 - p of the probability is left.
void Sampler::ChooseNucleus(std::span<const float> scores, float most, SearchMemory& memory) const {
  std::vector<Scored>& candidates = memory.candidates;
  double kept = 0;
  for (const Scored& candidate : candidates) kept += WeightOf(candidate, most);
  const bool all = top_k_ <= 0 || top_k_ >= static_cast<int64_t>(scores.size());
  const double total = all ? std::max(kept, SumOfExp(scores, most)) : kept;
  double below = total - kept;
  while (candidates.size() > 1) {
    below += WeightOf(candidates.back(), most);
    if (below > (1 - top_p_) * total) break;
    candidates.pop_back();
  }
}

}  // namespace millrace
