#include "batching/warmup.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "batching/samples.h"

namespace millrace {
namespace {

constexpr int kMaxRepeats = 5;
constexpr Nanos kTrial = 50'000'000;
// If a row of a batch takes this long, JavaScript, which takes 20 to 200 us for a request, needs a small part of a core.
// Why: .github/decisions/0046-instances-of-long-rows-use-every-core.md
constexpr Nanos kLongRow = 1'000'000;
// The part of one worker's throughput that another worker must add.
constexpr double kWorthAWorker = 0.1;
// The part of the throughput that may be lost for runs that are several times shorter.
constexpr double kAsGood = 0.95;

struct Subject {
  const Signature& signature;
  Executor& executor;
  const Clock& clock;
};

// The inputs of a trial.
struct Trial {
  Samples samples;
  size_t rows = 1;
};

// Returns the rows per nanosecond of `workers` threads that run the same inputs for the time of a trial.
double Throughput(const Trial& trial, const Subject& subject, uint32_t workers) {
  const auto& [signature, executor, clock] = subject;
  const std::vector<TensorView> inputs = trial.samples.Rows(0, trial.rows);
  std::atomic<uint64_t> runs{0};
  const Nanos began = clock.Now();
  // A thread that runs out of memory counts as one that adds nothing.
  const auto loop = [&]() noexcept {
    try {
      const std::unique_ptr<RunHandle> handle = executor.NewHandle();
      do {
        OutputRef outputs;
        if (!executor.Run(inputs, *handle, outputs).ok()) return;
        runs.fetch_add(1, std::memory_order_relaxed);
      } while (clock.Now() < began + kTrial);
    } catch (...) {
      return;
    }
  };
  {
    // Joined at the end of the scope, also where one of them cannot be started.
    std::vector<std::jthread> others;
    for (uint32_t i = 1; i < workers; ++i) others.emplace_back(loop);
    loop();
  }
  const auto elapsed = static_cast<double>(std::max<Nanos>(clock.Now() - began, 1));
  return static_cast<double>(trial.rows * runs.load(std::memory_order_relaxed)) / elapsed;
}

// Returns the batch sizes to measure: the declared ones or, if any size may run, the powers of two, up to `most`.
std::vector<int64_t> SizesOf(const ShapePlan& plan, int64_t most) {
  std::vector<int64_t> sizes;
  for (const int64_t rows : plan.row_sizes) {
    if (sizes.empty() || rows <= most) sizes.push_back(rows);
  }
  for (int64_t rows = 1; plan.row_sizes.empty() && rows < most; rows *= 2) sizes.push_back(rows);
  if (plan.row_sizes.empty()) sizes.push_back(most);
  return sizes;
}

// Returns the most rows of a batch in the bucket for which inputs can be made up.
int64_t MostRows(const Signature& signature, const ShapePlan& plan, size_t bucket,
                 const WarmupOptions& options) {
  if (!options.batched) return 1;
  int64_t per_row = 1;
  for (const Shape& shape : plan.SampleShapes(signature, plan.Lengths(bucket), 1)) {
    per_row = std::max(per_row, shape.Elements(1).value_or(INT64_MAX));
  }
  const int64_t most = plan.RowLimit(per_row, options.max_rows);
  return std::clamp<int64_t>(Samples::kMaxElements / per_row, 1, most);
}

// Makes the inputs of a trial: the largest batch of typical rows whose run takes about half of the time of a trial.
// Returns false if they cannot be made.
bool MakeTrial(const Subject& subject, const WarmupOptions& options, Nanos alone, Trial& trial) {
  const ShapePlan& plan = ShapePlan::OrNone(options.shapes);
  const size_t bucket = TypicalBucket(options);
  const int64_t most = MostRows(subject.signature, plan, bucket, options);
  trial.rows = static_cast<size_t>(
      std::clamp<int64_t>(kTrial / 2 / std::max<Nanos>(alone, 1), 1, most));
  return Samples::Make(subject.signature, trial.rows, plan, plan.Lengths(bucket), trial.samples).ok();
}

// Measures sizes until `end`. The first one runs once in any case, and with `every` all of them do.
void WarmBucket(const Subject& subject, const ShapePlan& plan, size_t bucket,
                const std::vector<int64_t>& sizes, Nanos end, bool every, CostModel& cost) {
  Samples samples;
  const auto most = static_cast<size_t>(sizes.back());
  const std::vector<int64_t> lengths = plan.Lengths(bucket);
  if (!Samples::Make(subject.signature, most, plan, lengths, samples).ok()) return;
  const std::unique_ptr<RunHandle> handle = subject.executor.NewHandle();
  const bool known = !cost.empty();
  for (const int64_t rows : sizes) {
    if (!every && rows != sizes.front() && subject.clock.Now() >= end) return;
    const std::vector<TensorView> inputs = samples.Rows(0, static_cast<size_t>(rows));
    OutputRef outputs;
    // The first run of a size allocates memory, so that it counts only if there is no other.
    Nanos began = subject.clock.Now();
    if (!subject.executor.Run(inputs, *handle, outputs).ok()) return;
    Nanos took = subject.clock.Now() - began;
    if (known) continue;
    bool measured = false;
    for (int i = 0; i < kMaxRepeats; ++i) {
      began = subject.clock.Now();
      if (began >= end && (measured || !every)) break;
      if (!subject.executor.Run(inputs, *handle, outputs).ok()) return;
      took = subject.clock.Now() - began;
      cost.Observe(rows, took);
      measured = true;
    }
    if (!measured) cost.Observe(rows, took);
  }
}

}  // namespace

void WarmUp(const Signature& signature, Executor& executor, const Clock& clock,
            const WarmupOptions& options, CostModel& cost) {
  const ShapePlan& plan = ShapePlan::OrNone(options.shapes);
  const std::vector<int64_t> sizes = SizesOf(plan, options.batched ? options.max_rows : 1);
  const Nanos end = clock.Now() + options.budget;
  WarmBucket({signature, executor, clock}, plan, 0, sizes, end, true, cost);
}

void WarmUpBuckets(const Signature& signature, Executor& executor, const Clock& clock,
                   const WarmupOptions& options, std::span<CostModel> costs) {
  if (costs.size() == 1 && costs[0].empty()) {
    return WarmUp(signature, executor, clock, options, costs[0]);
  }
  const ShapePlan& plan = ShapePlan::OrNone(options.shapes);
  const Nanos end = clock.Now() + options.budget;
  for (size_t bucket = 0; plan.buckets() > 1 && bucket < costs.size(); ++bucket) {
    const int64_t most = MostRows(signature, plan, bucket, options);
    const Nanos left = std::max<Nanos>(end - clock.Now(), 0);
    const Nanos part = left / static_cast<Nanos>(costs.size() - bucket);
    std::vector<int64_t> sizes = SizesOf(plan, most);
    if (!costs[bucket].empty()) sizes.resize(1);
    WarmBucket({signature, executor, clock}, plan, bucket, sizes, clock.Now() + part, false,
               costs[bucket]);
  }
}

size_t TypicalBucket(const WarmupOptions& options) noexcept {
  return ShapePlan::OrNone(options.shapes).buckets() / 2;
}

Nanos TimeOfOneRow(const Signature& signature, Executor& executor, const Clock& clock,
                   const WarmupOptions& options, size_t bucket) {
  CostModel cost;
  const ShapePlan& plan = ShapePlan::OrNone(options.shapes);
  WarmBucket({signature, executor, clock}, plan, bucket, SizesOf(plan, 1), clock.Now(), true, cost);
  return cost.Mean(1);
}

uint32_t ChooseWorkers(const Signature& signature, Executor& executor, const Clock& clock,
                       const WarmupOptions& options, Nanos alone, CoreBudget cores) {
  if (cores.all < 2 || (cores.spare < 2 && alone < kLongRow)) return 1;
  const Subject subject{signature, executor, clock};
  Trial trial;
  if (!MakeTrial(subject, options, alone, trial)) return 1;
  const double one = Throughput(trial, subject, 1);
  if (one == 0) return 1;
  const uint32_t limit = static_cast<double>(kLongRow) * one > 1 ? cores.spare : cores.all;
  double best = one;
  for (uint32_t workers = 2; workers <= limit; ++workers) {
    const double least = best + kWorthAWorker * one;
    double more = Throughput(trial, subject, workers);
    // Something else may have had the cores. A worker too few would be missed for as long as the model is loaded.
    if (more < least) more = Throughput(trial, subject, workers);
    if (more < least) return workers - 1;
    best = more;
  }
  return limit;
}

bool PreferThreads(const Signature& signature, Executor& workers_executor, uint32_t workers,
                   Executor& threads_executor, const Clock& clock, const WarmupOptions& options,
                   Nanos alone) {
  const Subject apart{signature, workers_executor, clock};
  const Subject threaded{signature, threads_executor, clock};
  Trial trial;
  if (!MakeTrial(apart, options, alone, trial)) return false;
  // Its first run starts its threads and allocates memory.
  TimeOfOneRow(signature, threads_executor, clock, options, TypicalBucket(options));
  const double of_threads = Throughput(trial, threaded, 1);
  return of_threads >= kAsGood * Throughput(trial, apart, workers);
}

}  // namespace millrace
