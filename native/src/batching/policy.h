// When to run a batch, as a pure function: the whole policy can be tested without a thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

enum class PolicyKind : uint8_t {
  // An idle worker takes what is there; batches grow only while all workers are busy. What Triton does
  // with a queue delay of 0.
  kBusy,
  // An incomplete batch is held back until its oldest request is `max_delay` old, even on an idle
  // worker. What Triton and TensorFlow Serving do with a delay.
  kTimer,
  // As kBusy, but when a batch has just ended and its clients are known to come back at once, waits
  // for them within a short window. See ArrivalModel.
  kExcess,
};

struct BatchPolicy {
  PolicyKind kind = PolicyKind::kBusy;
  // Most rows in one run, at least 1.
  int64_t max_rows = 1;
  // kTimer only.
  Nanos max_delay = 0;
};

// What waits for a worker, of the kind (shapes) that is served next.
struct QueueView {
  size_t requests = 0;
  int64_t rows = 0;
  // When the first of them was submitted, and the earliest deadline among them. Filled in only for
  // policies that hold batches back.
  Nanos oldest = kNever;
  Nanos earliest_deadline = kNever;
  // How long the batch would run.
  Nanos cost = 0;
  // Every device has a batch: this one would wait for it, with its copies made.
  bool busy = false;

  // kExcess, about the window after the last completion: when it ends, the requests that have arrived
  // in it so far, how many are expected in it, and how many of those the completion has caused.
  Nanos window_end = 0;
  double arrived = 0;
  double expected = 0;
  double excess = 0;
};

struct Decision {
  enum class Action : uint8_t { kIdle, kRun, kWait };
  Action action = Action::kIdle;
  // With kWait: when to decide again, unless something arrives before.
  Nanos until = kNever;
};

// A worker is free at `now`: what should it do? Nothing is held back past the moment at which the most
// pressing request has to start to make its deadline.
constexpr Decision Decide(const QueueView& queue, Nanos now, const BatchPolicy& policy) noexcept {
  if (queue.requests == 0) return {Decision::Action::kIdle, kNever};
  const Decision run{Decision::Action::kRun, now};
  if (queue.rows >= policy.max_rows) return run;
  // A batch that cannot start yet may as well grow. The worker that ends a run decides again.
  if (queue.busy) return {Decision::Action::kWait, kNever};

  Nanos until = now;
  if (policy.kind == PolicyKind::kTimer) {
    until = queue.oldest + policy.max_delay;
  } else if (policy.kind == PolicyKind::kExcess) {
    const double before_window = static_cast<double>(queue.requests) - queue.arrived;
    // Worth it only if those who come back weigh enough against those who would wait for them.
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
