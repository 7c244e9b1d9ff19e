// The statistics of a batcher.
#pragma once

#include <atomic>
#include <cstdint>

#include "batching/cost_model.h"
#include "batching/histogram.h"
#include "batching/tally.h"

namespace millrace {

// A measured cost and its length bucket.
struct BucketCost : CostModel::Point {
  size_t bucket = 0;
};

// CONSERVATION At rest, submitted = completed + failed + cancelled + expired. At any other time the difference is the
// number of requests that wait or run.
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
  // The workers whose run has passed the limit and has not returned.
  uint64_t stuck_instances = 0;
  // The share of clients that come back at once, as the policy estimates it.
  double returning = 0;
  double arrival_rate = 0;  // requests per second, over the last runs
  // How often a worker held an incomplete batch back.
  uint64_t held = 0;
  // The runs that submitting threads made themselves, and the longest expected run that they make.
  uint64_t inline_runs = 0;
  Nanos inline_limit = 0;
  Nanos expected_wait = 0;
  std::vector<BucketCost> costs;
  // The runs by their number of rows, and the same sums for completed requests.
  std::vector<Tally::Size> sizes;
  Tally::Sums completed_runs;
  // The end of the last run since the Unix epoch, or 0 before the first.
  Nanos last_run = 0;
  Histogram::Snapshot queue;
  Histogram::Snapshot compute;
};

}  // namespace millrace
