// A clock that moves only when a test says so.
#pragma once

#include <atomic>

#include "batching/clock.h"

namespace millrace::test {

class FakeClock final : public Clock {
 public:
  Nanos Now() const noexcept override { return now_.load(std::memory_order_acquire); }
  void Advance(Nanos by) noexcept { now_.fetch_add(by, std::memory_order_acq_rel); }

 private:
  // Small on purpose: a worker that waits for a time of this clock finds it in the real clock's past
  // and asks the policy again at once, so that no test waits for the real one.
  std::atomic<Nanos> now_{1};
};

}  // namespace millrace::test
