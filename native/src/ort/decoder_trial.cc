#include "ort/decoder_trial.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace millrace {
namespace {

using Tokens = std::vector<int32_t>;
using Logits = std::vector<float>;

// A wrong mask or position changes logits by about as much as they vary. Activations that are quantized by the range
// over all rows change them by a few percent, and now and then by more.
constexpr float kLarge = 0.25F;

// Returns by how much the logits of a run differ from the expected ones, in units of their range.
float Difference(const Logits& expected, const Logits& logits) {
  if (expected.empty() || expected.size() != logits.size()) return std::numeric_limits<float>::infinity();
  const auto [least, most] = std::minmax_element(expected.begin(), expected.end());
  float largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const float difference = std::abs(expected[i] - logits[i]);
    // Also if it is not a number.
    if (!(difference <= largest)) largest = difference;
  }
  return *most > *least ? largest / (*most - *least) : largest;
}

// Runs a decoder on sequences of its own.
class Trial {
 public:
  explicit Trial(Decoder& decoder) : decoder_(decoder), handle_(decoder.NewHandle()) {}

  Status Encode(const Tokens& text) {
    if (!decoder_.facts().encoder_decoder) return {};
    const std::span<const int32_t> texts[] = {text};
    return decoder_.Encode(texts, *handle_, {&encoded_, 1});
  }

  // Runs the next `count` tokens of each sequence in one step.
  struct Sequence {
    const Tokens* tokens = nullptr;
    size_t seen = 0;
    CacheRow cache = {};
    EncodedRow encoded = {};
    Logits logits = {};
  };
  Sequence Start(const Tokens& tokens) const { return {&tokens, 0, {}, encoded_, {}}; }

  Status Step(std::span<Sequence* const> sequences, size_t count) {
    std::vector<DecoderRow> rows;
    for (const Sequence* sequence : sequences) {
      rows.push_back({std::span(*sequence->tokens).subspan(sequence->seen, count), sequence->cache, sequence->encoded});
    }
    std::span<const float> logits;
    MILLRACE_RETURN_IF_ERROR(decoder_.Step(rows, *handle_, logits));
    const size_t width = logits.size() / rows.size();
    for (size_t i = 0; i < rows.size(); ++i) {
      Sequence& sequence = *sequences[i];
      sequence.seen += count;
      sequence.cache = rows[i].cache;
      sequence.encoded = rows[i].encoded;
      const auto own = logits.subspan(i * width, width);
      sequence.logits.assign(own.begin(), own.end());
    }
    return {};
  }

  // Runs a sequence by itself, in steps of these numbers of tokens.
  Status Run(Sequence& sequence, std::initializer_list<size_t> counts) {
    Sequence* const one[] = {&sequence};
    for (const size_t count : counts) MILLRACE_RETURN_IF_ERROR(Step(one, count));
    return {};
  }

 private:
  Decoder& decoder_;
  const std::unique_ptr<RunHandle> handle_;
  EncodedRow encoded_;
};

Tokens RandomTokens(size_t count, int64_t vocabulary, std::mt19937& random) {
  Tokens tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary));
  return tokens;
}

// Two sequences of seven tokens, with the logits of each by itself.
struct Sample {
  Tokens a;
  Tokens b;
  Logits a_at_7;
  Logits b_at_7;
  Logits b_at_3;
  Logits b_at_1;
};

Status MakeSample(Trial& trial, int64_t vocabulary, Sample& sample) {
  std::mt19937 random(1);
  sample.a = RandomTokens(7, vocabulary, random);
  sample.b = RandomTokens(7, vocabulary, random);
  MILLRACE_RETURN_IF_ERROR(trial.Encode(RandomTokens(5, vocabulary, random)));
  const struct {
    const Tokens& tokens;
    std::initializer_list<size_t> counts;
    Logits& logits;
  } runs[] = {{sample.a, {6, 1}, sample.a_at_7},
              {sample.b, {6, 1}, sample.b_at_7},
              {sample.b, {2, 1}, sample.b_at_3},
              {sample.b, {1}, sample.b_at_1}};
  for (const auto& run : runs) {
    Trial::Sequence sequence = trial.Start(run.tokens);
    MILLRACE_RETURN_IF_ERROR(trial.Run(sequence, run.counts));
    run.logits = std::move(sequence.logits);
  }
  return {};
}

// Each of these returns by how much the logits of a run differ from those of the sequences by themselves.

Status TryRows(Trial& trial, const Sample& sample, float& difference) {
  Trial::Sequence a = trial.Start(sample.a);
  Trial::Sequence b = trial.Start(sample.b);
  Trial::Sequence* const both[] = {&a, &b};
  MILLRACE_RETURN_IF_ERROR(trial.Step(both, 6));
  MILLRACE_RETURN_IF_ERROR(trial.Step(both, 1));
  difference = std::max(Difference(sample.a_at_7, a.logits), Difference(sample.b_at_7, b.logits));
  return {};
}

Status TryChunks(Trial& trial, const Sample& sample, float& difference) {
  Trial::Sequence a = trial.Start(sample.a);
  MILLRACE_RETURN_IF_ERROR(trial.Run(a, {2, 2, 3}));
  difference = Difference(sample.a_at_7, a.logits);
  return {};
}

Status TryMixedLengths(Trial& trial, const Sample& sample, float& difference) {
  Trial::Sequence a = trial.Start(sample.a);
  Trial::Sequence b = trial.Start(sample.b);
  Trial::Sequence fresh = trial.Start(sample.b);
  MILLRACE_RETURN_IF_ERROR(trial.Run(a, {6}));
  MILLRACE_RETURN_IF_ERROR(trial.Run(b, {2}));
  Trial::Sequence* const long_one[] = {&b, &a};
  MILLRACE_RETURN_IF_ERROR(trial.Step(long_one, 1));
  difference = std::max(Difference(sample.a_at_7, a.logits), Difference(sample.b_at_3, b.logits));
  // A graph whose first run is another one takes a row without a cache as one that is all padding.
  Trial::Sequence other = trial.Start(sample.a);
  MILLRACE_RETURN_IF_ERROR(trial.Run(other, {6}));
  Trial::Sequence* const with_fresh[] = {&other, &fresh};
  MILLRACE_RETURN_IF_ERROR(trial.Step(with_fresh, 1));
  difference = std::max({difference, Difference(sample.a_at_7, other.logits), Difference(sample.b_at_1, fresh.logits)});
  return {};
}

Status TryMixedChunks(Trial& trial, const Sample& sample, float& difference) {
  Trial::Sequence a = trial.Start(sample.a);
  Trial::Sequence b = trial.Start(sample.b);
  MILLRACE_RETURN_IF_ERROR(trial.Run(a, {4}));
  Trial::Sequence* const both[] = {&a, &b};
  MILLRACE_RETURN_IF_ERROR(trial.Step(both, 3));
  difference = std::max(Difference(sample.a_at_7, a.logits), Difference(sample.b_at_3, b.logits));
  return {};
}

}  // namespace

Status TryDecoder(Decoder& decoder, float tolerance, DecoderTrial& trial) {
  trial = {};
  Trial runs(decoder);
  Sample sample;
  const DecoderFacts& facts = decoder.facts();
  MILLRACE_RETURN_IF_ERROR(MakeSample(runs, facts.vocabulary, sample));
  float noise = 0;
  MILLRACE_RETURN_IF_ERROR(TryRows(runs, sample, noise));
  trial.independent_rows = noise <= tolerance;
  // If rows change each other's logits anyway, only a large difference says that something is computed wrongly.
  const float limit = trial.independent_rows ? tolerance : kLarge;
  const auto works = [&](Status (*attempt)(Trial&, const Sample&, float&)) {
    float difference = 0;
    return attempt(runs, sample, difference).ok() && difference <= limit;
  };
  trial.chunks = facts.chunks && works(&TryChunks);
  trial.mixed_lengths = facts.mixed_lengths && works(&TryMixedLengths);
  if (trial.chunks && trial.mixed_lengths) trial.chunks = works(&TryMixedChunks);
  return {};
}

}  // namespace millrace
