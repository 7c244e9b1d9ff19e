// The submission of requests to a batcher: admission, and inline runs.
#include "batching/batcher.h"

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

// One in this many requests that would be refused although nothing else is in progress runs as a trial.
constexpr uint32_t kTrialEvery = 16;
// Nanoseconds, 27 hours. No sum over the longest queue of such requests overflows.
constexpr double kMostWork = 1e14;
constexpr double kLongestQueue = 65'536;
static_assert(kLongestQueue * kMostWork < 0x1p63);

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
  // The thread was preempted, or the costs are wrong. The workers run the next requests, and find out which by
  // measuring them.
  if (took > 20 * options_.inline_limit) small_batches_.store(0, std::memory_order_relaxed);
  inline_runs_.fetch_add(1, std::memory_order_relaxed);
  Add({&request, 1}, request->rows, now, now + took);
  Count(*request);
  running_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

// Refuses a request that is not expected to meet its deadline, alone or behind requests that are as urgent.
Code Batcher::Admit(Request& request, Nanos now) noexcept {
  request.trial = false;
  if (request.deadline == kNever) return Code::kOk;
  const Nanos alone = CostOf(request.bucket, request.rows);
  if (alone == 0) return Code::kOk;
  const bool hopeless = now + alone > request.deadline;
  if (!hopeless && ExpectedEnd(request, now) <= request.deadline) return Code::kOk;
  // If nothing else ran, wrong costs would never be corrected.
  const bool idle = intake_.size() <= 1 && running_.load(std::memory_order_relaxed) == 0;
  request.trial = idle && doubts_.fetch_add(1, std::memory_order_relaxed) % kTrialEvery ==
                              kTrialEvery - 1;
  if (request.trial) return Code::kOk;
  return hopeless ? Code::kDeadlineExceeded : Code::kUnavailable;
}

// When a request that is submitted now would be completed. Workers run the requests ahead
// in full batches, and it shares a batch with the rest of them or, because more will have arrived by then, a full batch.
// The runs ahead count with their means, because their differences even out, and its own run with the high quantile.
// Why: .github/decisions/0007-admission-by-means-and-one-quantile.md
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
  // An idle worker does not stay idle because one run in twenty takes longer.
  if (start == now && ahead == 0) return now + CostOf(request.bucket, own);
  return start + runs / Devices() * cost +
         cost_[request.bucket].High(plan_.RunRows(own));
}

// Returns the request's part of the device time of a full batch.
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

// Returns when the first device is expected to be free, which is at least `now`.
Nanos Batcher::NextFree(Nanos now) const noexcept {
  if (options_.devices == 0) {
    Nanos first = kNever;
    for (const auto& worker : workers_) {
      first = std::min(first, worker->free_at.load(std::memory_order_relaxed));
    }
    return std::max(first, now);
  }
  // If there are more workers than devices, it is when fewer batches are left than devices.
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
