// Random numbers for scenarios.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>

#include "batching/clock.h"

namespace millrace::test {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // From 0 to `below` - 1.
  uint64_t Below(uint64_t below) { return engine_() % below; }
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(Below(static_cast<uint64_t>(most - least + 1)));
  }
  bool OneIn(uint64_t count) { return Below(count) == 0; }
  Nanos Exponential(double mean) {
    return static_cast<Nanos>(std::exponential_distribution<double>(1 / mean)(engine_));
  }
  template <class T>
  T Of(std::initializer_list<T> values) {
    return values.begin()[Below(values.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace millrace::test
