// Measures a model before it serves.
#pragma once

#include <span>

#include "batching/cost_model.h"
#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

struct WarmupOptions {
  bool batched = false;
  int64_t max_rows = 1;
  // Time the measurement may take; each size runs once in any case.
  Nanos budget = 0;
  // What requests are padded to. May be null.
  const ShapePlan* shapes = nullptr;
};

// Runs `executor` on made-up rows at 1, 2, 4, ... `max_rows` rows, so that its first real request
// finds memory and kernels ready, and fills `cost` with what the runs took. Sizes that `executor`
// refuses are left out.
void WarmUp(const Signature& signature, Executor& executor, const Clock& clock,
            const WarmupOptions& options, CostModel& cost);

// The same for every bucket of the plan, each with a fair part of the time that is left. With several
// buckets only the smallest size of each runs in any case, and once that. A bucket whose costs are
// known already is not measured again.
void WarmUpBuckets(const Signature& signature, Executor& executor, const Clock& clock,
                   const WarmupOptions& options, std::span<CostModel> costs);

// How many workers to run side by side, at most `limit`: another one is added while that adds a tenth of
// what one worker does at least. Takes about 50 ms for each number it tries.
uint32_t ChooseWorkers(const Signature& signature, Executor& executor, const Clock& clock,
                     const WarmupOptions& options, uint32_t limit);

// Whether one worker whose runs take several threads does about as much as `workers` workers of one thread:
// then its runs are the better ones, being shorter. Takes about 100 ms.
bool PreferThreads(const Signature& signature, Executor& workers_executor, uint32_t workers,
                   Executor& threads_executor, const Clock& clock, const WarmupOptions& options);

}  // namespace millrace
