// A model whose logits are a hash of the sequence, as test/fixtures/generation/make.py defines it too.
#pragma once

#include <cstdint>
#include <span>

namespace millrace::test {

// A hash of everything that has been folded into it, in its order.
class HashState {
 public:
  explicit HashState(uint64_t seed = 1) : state_(seed) {}

  void Fold(std::span<const int32_t> tokens) {
    for (const int32_t token : tokens) {
      state_ = Mix(state_ + 0x9e3779b97f4a7c15 + static_cast<uint64_t>(token));
    }
  }

  // The logit of a token: a multiple of 2^-20 from 0 to below 16, which single precision has exactly.
  float LogitOf(int64_t token) const {
    const uint64_t bits = Mix(state_ + 0x632be59bd9b4e019 * static_cast<uint64_t>(token + 1)) >> 40;
    return static_cast<float>(bits) * 0x1p-20f;
  }

  void WriteLogits(std::span<float> logits) const {
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = LogitOf(static_cast<int64_t>(i));
  }

 private:
  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace millrace::test
