// The statistics of a generator.
#pragma once

#include <cstdint>

#include "batching/histogram.h"
#include "batching/tally.h"
#include "generation/decoder.h"

namespace millrace {

// CONSERVATION At rest, submitted = completed + failed + cancelled + expired. At any other time the difference is the
// number of requests that wait or run.
struct GeneratorStats {
  uint64_t submitted = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t expired = 0;
  uint64_t rejected = 0;
  // The requests that wait, and those that have started.
  uint64_t queued = 0;
  uint64_t running = 0;

  // The runs of the decoder and of the encoder, and the rows of all of them.
  uint64_t steps = 0;
  uint64_t encoder_runs = 0;
  uint64_t rows = 0;
  // The tokens that were generated; those of beam search count when it ends.
  uint64_t tokens = 0;
  // The prompt tokens, and those of the encoder's input, that were computed.
  uint64_t prompt_tokens = 0;

  // The bytes that the requests in progress have reserved for keys, values and encoder states; the limit; and the most
  // that was ever reserved.
  int64_t cache_bytes = 0;
  int64_t cache_bytes_limit = 0;
  int64_t cache_bytes_peak = 0;
  CopyCounters copies;

  // 1 while a step has passed the limit and has not returned.
  uint64_t stuck_instances = 0;
  Nanos expected_wait = 0;
  // The runs by their number of rows, and the same sums for completed requests, with the time from the start of the first
  // step to the end as their compute time.
  std::vector<Tally::Size> sizes;
  Tally::Sums completed_runs;
  // The end of the last run since the Unix epoch, or 0 before the first.
  Nanos last_run = 0;
  // The time before the first step of each request, and the time of each run.
  Histogram::Snapshot queue;
  Histogram::Snapshot compute;
};

}  // namespace millrace
