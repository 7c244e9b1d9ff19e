// Draws tokens at random.
#pragma once

#include <cstdint>
#include <span>

#include "generation/options.h"
#include "generation/search_memory.h"

namespace millrace {

// The generator SplitMix64 (Steele, Lea, Flood 2014). It is the same on every machine and in every version of this
// project, so that a seed names a sequence of tokens.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) noexcept : state_(seed) {}

  uint64_t Next() noexcept {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Returns a multiple of 2^-53 from 0 to below 1.
  double Uniform() noexcept { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

// Draws from the softmax of scores after temperature, top-k and top-p (Holtzman et al. 2020), in this order. Which tokens
// are left is what TemperatureLogitsWarper, TopKLogitsWarper and TopPLogitsWarper of transformers 5.24 leave; scores
// that are equal to the k-th best all stay. Each draw takes one number of a generator of its own, and finds the
// token at that part of the candidates' total probability, with the candidates in falling order of probability and then
// in order of their ids.
class Sampler {
 public:
  Sampler(const GenerationOptions& options, uint64_t seed) noexcept
      : temperature_(static_cast<float>(options.temperature)),
        top_k_(options.top_k),
        top_p_(options.top_p),
        random_(seed) {}

  // Returns a token, or -1 if every score is minus infinity. Changes `scores`. Throws std::bad_alloc.
  int64_t Draw(std::span<float> scores, SearchMemory& memory);

  // Puts the tokens that can be drawn from `scores` into `memory.candidates`, best first. It is a part of Draw.
  void Choose(std::span<float> scores, SearchMemory& memory) const;

 private:
  void ChooseNucleus(std::span<const float> scores, float most, SearchMemory& memory) const;

  const float temperature_;
  const int64_t top_k_;
  const double top_p_;
  SplitMix64 random_;
};

}  // namespace millrace
