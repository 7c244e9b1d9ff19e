#include "batching/warmup.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "batching/samples.h"

namespace millrace {
namespace {

constexpr int kMaxRepeats = 5;
constexpr Nanos kTrial = 50'000'000;
constexpr double kWorthALane = 1.1;

// Runs per second of `lanes` threads that run the same inputs for the length of a trial.
double Throughput(const std::vector<TensorView>& inputs, Executor& executor, const Clock& clock,
                  uint32_t lanes) {
  std::atomic<uint64_t> runs{0};
  const Nanos began = clock.Now();
  const auto loop = [&] {
    const std::unique_ptr<RunHandle> handle = executor.NewHandle();
    do {
      OutputRef outputs;
      if (!executor.Run(inputs, *handle, outputs).ok()) return;
      runs.fetch_add(1, std::memory_order_relaxed);
    } while (clock.Now() < began + kTrial);
  };
  std::vector<std::thread> others;
  for (uint32_t i = 1; i < lanes; ++i) others.emplace_back(loop);
  loop();
  for (std::thread& other : others) other.join();
  const auto elapsed = static_cast<double>(std::max<Nanos>(clock.Now() - began, 1));
  return static_cast<double>(runs.load(std::memory_order_relaxed)) / elapsed;
}

}  // namespace

void WarmUp(const Signature& signature, Executor& executor, const Clock& clock,
            const WarmupOptions& options, CostModel& cost) {
  const int64_t most = options.batched ? options.max_rows : 1;
  Samples samples;
  if (!Samples::Make(signature, static_cast<size_t>(most), samples).ok()) return;
  const std::unique_ptr<RunHandle> handle = executor.NewHandle();
  const Nanos end = clock.Now() + options.budget;
  for (int64_t rows = 1; rows <= most; rows = rows == most ? most + 1 : std::min(rows * 2, most)) {
    const std::vector<TensorView> inputs = samples.Rows(0, static_cast<size_t>(rows));
    OutputRef outputs;
    // The first run of a size allocates, and is not typical.
    if (!executor.Run(inputs, *handle, outputs).ok()) return;
    for (int i = 0; i < kMaxRepeats && (i == 0 || clock.Now() < end); ++i) {
      const Nanos began = clock.Now();
      if (!executor.Run(inputs, *handle, outputs).ok()) return;
      cost.Observe(rows, clock.Now() - began);
    }
  }
}

uint32_t ChooseLanes(const Signature& signature, Executor& executor, const Clock& clock,
                     const WarmupOptions& options, uint32_t limit) {
  const auto rows = static_cast<size_t>(options.batched ? options.max_rows : 1);
  Samples samples;
  if (limit < 2 || !Samples::Make(signature, rows, samples).ok()) return 1;
  const std::vector<TensorView> inputs = samples.Rows(0, rows);
  double best = Throughput(inputs, executor, clock, 1);
  if (best == 0) return 1;
  for (uint32_t lanes = 2; lanes <= limit; ++lanes) {
    const double more = Throughput(inputs, executor, clock, lanes);
    if (more < kWorthALane * best) return lanes - 1;
    best = more;
  }
  return limit;
}

}  // namespace millrace
