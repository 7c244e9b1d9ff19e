// The policy of which rows the next run has, as a pure function that can be tested without threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

// What a request in progress needs next.
struct Candidate {
  enum class Need : uint8_t {
    // A run of the encoder on its text.
    kEncoder,
    // A run on several tokens of its prompt.
    kPrompt,
    // A run on one token, after which its next token is chosen.
    kToken,
  };
  Need need = Need::kToken;
  // The rows that it adds to the run, which is 1 for kEncoder and kPrompt.
  int64_t rows = 1;
  // The tokens in its cache.
  int64_t seen = 0;
  // The tokens that are to be computed: of the text for kEncoder, and otherwise those that are not in the cache.
  int64_t unseen = 1;
  // The number of runs before the last one in which it took part, or before it started.
  uint64_t last_run = 0;
};

struct StepLimits {
  int64_t max_prefill_tokens = 512;
  // As in DecoderFacts.
  bool mixed_lengths = false;
  bool chunks = false;
};

// A run.
struct Step {
  enum class Kind : uint8_t { kNone, kEncoder, kPrompt, kToken };
  Kind kind = Kind::kNone;
  // The new tokens of each row; for the encoder, those of the longest text.
  int64_t tokens = 0;
  // The indices of the candidates that take part, in rising order.
  std::vector<uint32_t> members;
};

// What the policy knows of the runs so far.
struct StepHistory {
  uint64_t runs = 0;
  uint64_t token_runs = 0;
  // The runs of encoder and prompts since the last run of tokens, and their tokens.
  uint32_t prefills = 0;
  int64_t prefill_tokens = 0;

  void Note(const Step& step) noexcept {
    ++runs;
    if (step.kind == Step::Kind::kToken) {
      ++token_runs;
      prefills = 0;
      prefill_tokens = 0;
    } else {
      ++prefills;
      prefill_tokens += step.tokens * static_cast<int64_t>(step.members.size());
    }
  }
};

// While requests wait for tokens, so many runs of encoder and prompts follow each other at most, and together they have
// at most max_prefill_tokens, unless the first of them alone has more.
inline constexpr uint32_t kMostPrefills = 8;
// Without mixed lengths, one in so many runs of tokens is that of the rows that have waited longest.
inline constexpr uint64_t kTurnEvery = 4;
// A shorter group of n rows goes before the largest group of m rows if it is at most kCatchUp * n / m tokens behind.
inline constexpr int64_t kCatchUp = 64;

// Decides which of the candidates, in the order in which they started, have the next run, and writes it to `step`, whose
// kind is kNone only if there is no candidate. Throws std::bad_alloc.
//
// PREFILL A request that has started is computed in the order of starting: between two runs of tokens there is at
// least one run of the encoder or a prompt if any is needed, and it has the first request that needs one. A prompt
// that is longer than max_prefill_tokens is computed in parts if the decoder allows that, alone. Prompts that have the
// same number of tokens left share a run, and texts share one if they are no more than max_prefill_tokens with their
// padding. All of a shared run complete their prompts, so that the rows that a run has left in memory go on together.
//
// TOKENS With mixed lengths every request that can have a token is in every run of tokens. Otherwise rows of one
// length are a group, which runs as a whole. The largest group goes first, because it makes the most tokens of a run;
// among equals the shorter does. A shorter group that is not far behind goes before it, and both merge when it has
// caught up. Every kTurnEvery-th run of tokens belongs to the rows that have waited longest, so that k groups wait for
// at most k * kTurnEvery runs of tokens. Numbers: .github/decisions/0040-iteration-level-batching.md
void ChooseStep(std::span<const Candidate> candidates, const StepHistory& history,
                const StepLimits& limits, Step& step);

}  // namespace millrace
