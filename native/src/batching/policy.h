// When to run a batch, as a pure function: the whole policy can be tested without a thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

struct BatchPolicy {
  // Most rows in one run, at least 1.
  int64_t max_rows = 1;
  // How long an incomplete batch is held back, counted from its oldest request. 0: never; an idle
  // lane takes what is there, and batches grow only while all lanes are busy.
  Nanos max_delay = 0;
};

// What waits for a lane, of the kind (shapes) that is served next.
struct QueueView {
  size_t requests = 0;
  int64_t rows = 0;
  // When the first of them was submitted, and the earliest deadline among them. Filled in only for
  // a policy that holds batches back.
  Nanos oldest = kNever;
  Nanos earliest_deadline = kNever;
};

struct Decision {
  enum class Action : uint8_t { kIdle, kRun, kWait };
  Action action = Action::kIdle;
  // With kWait: when to decide again, unless something arrives before.
  Nanos until = kNever;
};

// A lane is free at `now`: what should it do? A batch is never held back so long that a request
// would start later than `max_delay` before its own deadline.
constexpr Decision Decide(const QueueView& queue, Nanos now, const BatchPolicy& policy) noexcept {
  if (queue.requests == 0) return {Decision::Action::kIdle, kNever};
  if (queue.rows >= policy.max_rows || policy.max_delay <= 0) {
    return {Decision::Action::kRun, now};
  }
  const Nanos latest = std::min(queue.oldest, queue.earliest_deadline - 2 * policy.max_delay);
  const Nanos until = latest + policy.max_delay;
  if (until <= now) return {Decision::Action::kRun, now};
  return {Decision::Action::kWait, until};
}

}  // namespace millrace
