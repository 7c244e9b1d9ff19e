#include "batching/batcher.h"

#include <algorithm>
#include <chrono>
#include <new>

namespace millrace {

Batcher::Batcher(Executor& executor, const Clock& clock, const BatcherOptions& options)
    : executor_(executor),
      clock_(clock),
      options_(options),
      plan_(ShapePlan::OrNone(options.pending.shapes)),
      cost_(std::make_unique<CostModel[]>(plan_.buckets())),
      full_(std::make_unique<Full[]>(plan_.buckets())),
      member_(options.weight),
      quota_(options.max_queue_by_priority),
      pending_(options.pending),
      tally_(options.policy.max_rows),
      epoch_(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() -
             clock.Now()),
      queue_time_(DurationBounds()),
      compute_time_(DurationBounds()) {
  workers_.reserve(options_.workers);
  for (uint32_t i = 0; i < std::max(options_.workers, 1u); ++i) {
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
    worker.handle = executor_.NewHandle();
    // The vectors have room for all waiting requests, so that taking a batch never fails for lack of memory.
    worker.batch.reserve(options_.max_queue);
    worker.dropped.reserve(options_.max_queue);
    if (options_.run_limit > 0) worker.watched.reserve(options_.max_queue);
  }
  if (options_.share != nullptr) options_.share->Join(member_, options_.workers);
  if (!options_.threads) return;
  // The threads start after all workers exist, because a worker wakes others and so reads the whole vector.
  try {
    for (auto& worker : workers_) {
      worker->thread = std::thread([this, it = worker.get()] { Loop(*it); });
    }
    if (options_.run_limit > 0) watchdog_ = std::thread([this] { Watch(); });
  } catch (...) {
    Close();
    throw;
  }
}

Batcher::~Batcher() { Close(); }

// Counts a run whose requests all have their outcomes.
void Batcher::Add(std::span<Request* const> batch, int64_t rows, Nanos began, Nanos ended) noexcept {
  batches_.fetch_add(1, std::memory_order_relaxed);
  rows_.fetch_add(static_cast<uint64_t>(rows), std::memory_order_relaxed);
  Nanos started = ended;
  Nanos finished = began;
  Nanos compute = 0;
  uint64_t completed = 0;
  for (const Request* request : batch) {
    started = std::min(started, request->started);
    finished = std::max(finished, request->finished);
    compute = std::max(compute, request->finished - request->started);
    completed += request->status.ok() ? 1 : 0;
    queue_time_.Observe(request->started - request->submitted);
  }
  compute_time_.Observe(compute);
  tally_.Observe(rows, completed, {started - began, compute, ended - finished}, ended);
}

void Batcher::Count(const Request& request) noexcept {
  if (request.other_rows) other_rows_.store(true, std::memory_order_relaxed);
  std::atomic<uint64_t>* counter = &failed_;
  switch (request.status.code()) {
    case Code::kOk:
      counter = &completed_;
      break;
    case Code::kCancelled:
      counter = &cancelled_;
      break;
    case Code::kDeadlineExceeded:
      counter = &expired_;
      break;
    default:
      break;
  }
  counter->fetch_add(1, std::memory_order_relaxed);
}

void Batcher::Close() {
  const std::lock_guard lock(closing_);
  intake_.Close();
  for (auto& worker : workers_) worker->parker.Unpark();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  if (watchdog_.joinable()) {
    {
      const std::lock_guard watching(watching_);
      watch_over_ = true;
    }
    watch_ended_.notify_one();
    watchdog_.join();
  }
  if (options_.share != nullptr) options_.share->Leave(member_);
}

// Sleeps until the oldest run would pass the limit, or for half the limit, after which a run that starts
// meanwhile is not overdue yet.
void Batcher::Watch() {
  std::unique_lock lock(watching_);
  while (!watch_over_) {
    const Nanos sleep = std::min(options_.run_limit / 2, Patrol());
    watch_ended_.wait_for(lock, std::chrono::nanoseconds(std::max<Nanos>(sleep, 1'000'000)));
  }
}

Nanos Batcher::Patrol() {
  const Nanos now = clock_.Now();
  Nanos next = kNever;
  for (auto& worker : workers_) next = std::min(next, GiveUpOverdue(*worker, now));
  return next;
}

// Terminates the worker's run if it has passed the limit. Otherwise returns the time that is left to it.
Nanos Batcher::GiveUpOverdue(Worker& worker, Nanos now) {
  const std::lock_guard lock(worker.overdue_mutex);
  if (worker.started == 0) return kNever;
  const Nanos started = worker.handle->Started(worker.started);
  // The run waits behind another batch on its device.
  if (started == kNever) return kNever;
  const Nanos left = started + options_.run_limit - now;
  if (left > 0) return left;
  worker.handle->Terminate();
  // It is terminated again at the next look, because it may only have begun to gather its inputs.
  if (worker.overdue) return kNever;
  worker.overdue = true;
  stuck_.fetch_add(1, std::memory_order_relaxed);
  try {
    const Status status(Code::kDeadlineExceeded, "The run took longer than a run of this model may");
    for (const Request* request : worker.watched) {
      request->sink->FailEarly(request->slot, request->turn, status);
    }
  } catch (const std::bad_alloc&) {
    // They finish when the run returns.
  }
  return kNever;
}

BatcherStats Batcher::Stats() const {
  BatcherStats stats;
  stats.completed = completed_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.cancelled = cancelled_.load(std::memory_order_relaxed);
  stats.expired = expired_.load(std::memory_order_relaxed);
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  stats.queued = intake_.size();
  stats.running = running_.load(std::memory_order_relaxed);
  stats.batches = batches_.load(std::memory_order_relaxed);
  stats.rows = rows_.load(std::memory_order_relaxed);
  stats.stuck_instances = stuck_.load(std::memory_order_relaxed);
  stats.returning = returning_.load(std::memory_order_relaxed);
  stats.arrival_rate = arrival_rate_.load(std::memory_order_relaxed) * 1e9;
  stats.held = held_.load(std::memory_order_relaxed);
  stats.inline_runs = inline_runs_.load(std::memory_order_relaxed);
  stats.inline_limit = options_.inline_limit;
  stats.expected_wait = ExpectedWait();
  for (size_t bucket = 0; bucket < plan_.buckets(); ++bucket) {
    for (const CostModel::Point& point : cost_[bucket].Read()) stats.costs.push_back({point, bucket});
  }
  stats.submitted = submitted_.load(std::memory_order_relaxed);
  stats.sizes = tally_.Sizes();
  stats.completed_runs = tally_.Requests();
  if (const Nanos last = tally_.last(); last != 0) stats.last_run = epoch_ + last;
  stats.queue = queue_time_.Read();
  stats.compute = compute_time_.Read();
  return stats;
}

}  // namespace millrace
