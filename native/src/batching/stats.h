// What a batcher counts. Written by submitters and workers, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

#include "batching/cost_model.h"
#include "batching/histogram.h"
#include "batching/tally.h"

namespace millrace {

// A measured cost and the bucket it is of.
struct BucketCost : CostModel::Point {
  size_t bucket = 0;
};

// CONSERVATION At rest, submitted = completed + failed + cancelled + expired. At any moment the
// difference is what waits or runs.
struct BatcherStats {
  uint64_t submitted = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t expired = 0;
  uint64_t rejected = 0;
  uint64_t queued = 0;
  uint64_t running = 0;
  uint64_t batches = 0;
  uint64_t rows = 0;
  // Workers whose present run has passed the limit and has not returned.
  uint64_t stuck_instances = 0;
  // Share of answered clients that come back at once, as the policy has learnt it.
  double returning = 0;
  double arrival_rate = 0;  // requests a second, over the last runs
  // Times that a worker held an incomplete batch back.
  uint64_t held = 0;
  // Runs that a submitting thread made itself, and the longest that are expected to be worth it.
  uint64_t inline_runs = 0;
  Nanos inline_limit = 0;
  Nanos expected_wait = 0;
  std::vector<BucketCost> costs;
  // Runs by their size, and what answered requests have seen of them.
  std::vector<Tally::Size> sizes;
  Tally::Sums answered;
  // When the last run ended, since the Unix epoch; 0 before the first.
  Nanos last_run = 0;
  Histogram::Snapshot queue;
  Histogram::Snapshot compute;
};

}  // namespace millrace
