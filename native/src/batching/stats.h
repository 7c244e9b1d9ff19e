// What a batcher counts. Written by submitters and lanes, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

#include "batching/histogram.h"

namespace millrace {

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
  Histogram::Snapshot queue;
  Histogram::Snapshot compute;
};

}  // namespace millrace
