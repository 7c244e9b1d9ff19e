// The clock of all native times, for which tests substitute a fake.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace millrace {

// A duration in nanoseconds, or a time on a monotonic clock with an arbitrary epoch that all threads share.
using Nanos = int64_t;

inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos Now() const noexcept = 0;
};

class SteadyClock final : public Clock {
 public:
  Nanos Now() const noexcept override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace millrace
