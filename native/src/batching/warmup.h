// Measurements of a model before it serves.
#pragma once

#include <span>

#include "batching/core_budget.h"
#include "batching/cost_model.h"
#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

struct WarmupOptions {
  bool batched = false;
  int64_t max_rows = 1;
  // The time that the measurement may take, in nanoseconds. Each size runs once in any case.
  Nanos budget = 0;
  // The shapes that requests are padded to. May be null.
  const ShapePlan* shapes = nullptr;
};

// Runs `executor` on made-up batches of 1, 2, 4, ... `max_rows` rows, so that memory and kernels are ready for its first
// request, and records their run times in `cost`. Sizes that `executor` refuses are left out.
void WarmUp(const Signature& signature, Executor& executor, const Clock& clock,
            const WarmupOptions& options, CostModel& cost);

// Does the same for every length bucket of the plan, each with an equal part of the time that is left. With several
// buckets only the smallest size of each runs in any case, and only once. A bucket with known costs is not measured
// again.
void WarmUpBuckets(const Signature& signature, Executor& executor, const Clock& clock,
                   const WarmupOptions& options, std::span<CostModel> costs);

// Returns the bucket whose lengths stand for those of requests while workers are chosen.
size_t TypicalBucket(const WarmupOptions& options) noexcept;

// Returns the time of a run of one row of a bucket, in nanoseconds, or 0 if the model does not run.
Nanos TimeOfOneRow(const Signature& signature, Executor& executor, const Clock& clock,
                   const WarmupOptions& options, size_t bucket);

// Returns how many workers to run side by side: one is added as long as there is a core for it and it adds at least a
// tenth of the throughput of one worker. `alone` is the time of a run of one row of the typical bucket. Takes about 50 ms
// for each number that it tries, twice that for the last one, and no time if there is no choice.
uint32_t ChooseWorkers(const Signature& signature, Executor& executor, const Clock& clock,
                       const WarmupOptions& options, Nanos alone, CoreBudget cores);

// Returns whether one worker whose runs use several threads has about the throughput of `workers` workers of one thread.
// It is then preferred, because its runs are shorter. `alone` is as above. Takes about 100 ms.
bool PreferThreads(const Signature& signature, Executor& workers_executor, uint32_t workers,
                   Executor& threads_executor, const Clock& clock, const WarmupOptions& options,
                   Nanos alone);

}  // namespace millrace
