// The submitting side of a batcher: what is let in, and what runs at once.
#include "batching/batcher.h"

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

// Of requests refused although nothing else is going on, one in so many runs.
constexpr uint32_t kTrialEvery = 16;
// Nanoseconds, 11 days: no sum over a queue of such requests overflows.
constexpr double kMostWork = 1e15;

}  // namespace

Code Batcher::Enqueue(Request* request) noexcept {
  const Intake<Request>::Entry entry = intake_.Reserve(options_.max_queue);
  if (entry != Intake<Request>::Entry::kOpen) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return entry == Intake<Request>::Entry::kFull ? Code::kUnavailable : Code::kFailedPrecondition;
  }
  const auto refuse = [this](Code code) {
    intake_.Leave(1);
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return code;
  };
  if (!quota_.Take(request->priority)) return refuse(Code::kUnavailable);
  const Nanos now = clock_.Now();
  if (const Code code = Admit(*request, now); code != Code::kOk) {
    quota_.Leave(request->priority);
    return refuse(code);
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  request->submitted = now;
  request->place = backlog_.Add(request->priority, options_.pending.DueOf(*request), now,
                                WorkOf(*request));
  intake_.Push(request);
  return Code::kOk;
}

bool Batcher::RunInline(Request* request, RunHandle& handle, Staging& staging) noexcept {
  if (options_.inline_limit == 0 ||
      small_batches_.load(std::memory_order_relaxed) < kSmallBatchesForInline) {
    return false;
  }
  const Nanos now = clock_.Now();
  const Nanos expected = CostOf(request->bucket, request->rows);
  if (expected == 0 || expected > options_.inline_limit ||
      request->deadline <= now + expected || intake_.size() != 0 ||
      running_.load(std::memory_order_relaxed) != 0 || intake_.closed()) {
    return false;
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  running_.fetch_add(1, std::memory_order_relaxed);
  request->submitted = now;
  RunBatch({&request, 1}, {executor_, handle, staging, clock_, batched(), &plan_,
                         options_.maps});
  const Nanos took = clock_.Now() - now;
  // A thread that was preempted, or costs that are wrong. Workers tell which: they run the next ones, and
  // learn what a run costs.
  if (took > 20 * options_.inline_limit) small_batches_.store(0, std::memory_order_relaxed);
  inline_runs_.fetch_add(1, std::memory_order_relaxed);
  Add({&request, 1}, request->rows, now, now + took);
  Count(*request);
  running_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

// Refuses what is not expected to be in time: alone, or behind what is as urgent.
Code Batcher::Admit(Request& request, Nanos now) noexcept {
  request.trial = false;
  if (request.deadline == kNever) return Code::kOk;
  const Nanos alone = CostOf(request.bucket, request.rows);
  if (alone == 0) return Code::kOk;
  const bool hopeless = now + alone > request.deadline;
  if (!hopeless && ExpectedEnd(request, now) <= request.deadline) return Code::kOk;
  // With nothing else to run, costs that are wrong would stay wrong.
  const bool idle = intake_.size() <= 1 && running_.load(std::memory_order_relaxed) == 0;
  request.trial = idle && doubts_.fetch_add(1, std::memory_order_relaxed) % kTrialEvery ==
                              kTrialEvery - 1;
  if (request.trial) return Code::kOk;
  return hopeless ? Code::kDeadlineExceeded : Code::kUnavailable;
}

// When a request submitted now would be answered. Workers work off what is ahead in full batches, and it
// shares its run with what is left of that, or, since more will have come by then, with a full batch.
// Means for the runs ahead, whose differences even out; the high quantile for its own.
// The numbers: .github/decisions/0007-admission-by-means-and-one-quantile.md
Nanos Batcher::ExpectedEnd(const Request& request, Nanos now) const noexcept {
  const Nanos start = NextFree(now);
  const auto [rows, cost] = FullOf(request.bucket);
  if (cost == 0) return start + CostOf(request.bucket, request.rows);
  const Nanos ahead =
      backlog_.Ahead(request.priority, options_.pending.DueOf(request), now);
  const Nanos runs = ahead / cost;
  const auto beside = static_cast<int64_t>(static_cast<double>(ahead % cost) /
                                           static_cast<double>(cost) * static_cast<double>(rows));
  const int64_t shared = runs > 0 ? rows : std::min(beside + request.rows, rows);
  const int64_t own = std::max(shared, request.rows);
  // An idle worker is not kept idle because of what one run in twenty takes.
  if (start == now && ahead == 0) return now + CostOf(request.bucket, own);
  return start + runs / Devices() * cost +
         cost_[request.bucket].High(plan_.RunRows(own));
}

// The request's part of the device time of a full batch.
Nanos Batcher::WorkOf(const Request& request) noexcept {
  if (FullOf(request.bucket).cost == 0) MeasureFull(request.bucket);
  const auto [rows, cost] = FullOf(request.bucket);
  const double part = static_cast<double>(request.rows) / static_cast<double>(rows);
  return static_cast<Nanos>(std::ceil(std::min(part * static_cast<double>(cost), kMostWork)));
}

void Batcher::MeasureFull(size_t bucket) noexcept {
  const int64_t most = options_.policy.max_rows;
  const int64_t rows = cost_[bucket].BestRows(most, plan_.RunRows(most));
  full_[bucket].rows.store(rows, std::memory_order_relaxed);
  full_[bucket].cost.store(CostOf(bucket, rows), std::memory_order_relaxed);
}

// When the first device is expected to be free, at least `now`.
Nanos Batcher::NextFree(Nanos now) const noexcept {
  if (options_.devices == 0) {
    Nanos first = kNever;
    for (const auto& worker : workers_) {
      first = std::min(first, worker->free_at.load(std::memory_order_relaxed));
    }
    return std::max(first, now);
  }
  // Where workers outnumber devices: when fewer batches are left than devices.
  Nanos free = now;
  for (const auto& worker : workers_) {
    const Nanos end = worker->free_at.load(std::memory_order_relaxed);
    const auto later = std::ranges::count_if(workers_, [end](const auto& other) {
      return other->free_at.load(std::memory_order_relaxed) >= end;
    });
    if (later >= static_cast<std::ptrdiff_t>(options_.devices)) free = std::max(free, end);
  }
  return free;
}

Nanos Batcher::ExpectedWait() const noexcept {
  const Nanos now = clock_.Now();
  return NextFree(now) - now + backlog_.Total() / Devices();
}

void Batcher::Wake() noexcept {
  for (auto& worker : workers_) {
    if (worker->parker.Unpark()) return;
  }
}

}  // namespace millrace
