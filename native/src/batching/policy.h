// The policy of when to run a batch, as a pure function that can be tested without threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

enum class PolicyKind : uint8_t {
  // An idle worker takes the waiting requests at once; batches grow only while all workers are busy. Triton does this
  // with a queue delay of 0.
  kBusy,
  // An incomplete batch is held back until its oldest request is `max_delay` old, even if a worker is idle. Triton and
  // TensorFlow Serving do this with a delay.
  kTimer,
  // As kBusy, except that after a batch has ended a worker waits within a short window for clients that are expected
  // to come back at once. See ArrivalModel.
  kExcess,
};

struct BatchPolicy {
  PolicyKind kind = PolicyKind::kBusy;
  // The most rows in a batch, at least 1.
  int64_t max_rows = 1;
  // The longest delay, for kTimer only.
  Nanos max_delay = 0;
};

// The requests of a group that wait for a worker, and what the policy needs to know of the others.
struct QueueView {
  size_t requests = 0;
  int64_t rows = 0;
  // When the first of them was submitted, and the earliest of their deadlines. They are filled in only for policies that
  // hold batches back.
  Nanos oldest = kNever;
  Nanos earliest_deadline = kNever;
  // The expected run time of the batch.
  Nanos cost = 0;
  // Whether every device has a batch, so that this one would wait after its inputs have been copied.
  bool busy = false;

  // For kExcess, the window after the last completion: when it ends, the requests that have arrived in it so far, how
  // many are expected in it, and how many of those the completion causes.
  Nanos window_end = 0;
  double arrived = 0;
  double expected = 0;
  double excess = 0;
};

struct Decision {
  enum class Action : uint8_t { kIdle, kRun, kWait };
  Action action = Action::kIdle;
  // With kWait, when to decide again unless a request arrives before.
  Nanos until = kNever;
};

// Decides what a worker that is free at `now` does. A batch is never held back for so long that its most urgent request
// would miss its deadline.
constexpr Decision Decide(const QueueView& queue, Nanos now, const BatchPolicy& policy) noexcept {
  if (queue.requests == 0) return {Decision::Action::kIdle, kNever};
  const Decision run{Decision::Action::kRun, now};
  if (queue.rows >= policy.max_rows) return run;
  // A batch that cannot start yet may grow meanwhile. The worker that ends a run decides again.
  if (queue.busy) return {Decision::Action::kWait, kNever};

  Nanos until = now;
  if (policy.kind == PolicyKind::kTimer) {
    until = queue.oldest + policy.max_delay;
  } else if (policy.kind == PolicyKind::kExcess) {
    const double before_window = static_cast<double>(queue.requests) - queue.arrived;
    // The wait pays only if enough clients come back compared with the requests that would wait for them.
    const bool worth = queue.excess >= 0.5 && queue.excess >= 0.5 * before_window;
    if (worth && queue.expected - queue.arrived >= 0.5) until = queue.window_end;
  }
  if (queue.earliest_deadline != kNever) {
    until = std::min(until, queue.earliest_deadline - queue.cost);
  }
  if (until <= now) return run;
  return {Decision::Action::kWait, until};
}

}  // namespace millrace
