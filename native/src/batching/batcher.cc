#include "batching/batcher.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <string>
#include <utility>

namespace millrace {
namespace {

// Hands finished requests to their sinks, one chain for each sink.
class Delivery {
 public:
  ~Delivery() {
    for (const Chain& chain : chains_) {
      // The sink may be released by what it does with its last request.
      const auto keep = chain.newest->sink->shared_from_this();
      keep->Finish(chain.newest, chain.oldest);
    }
  }

  void Add(Request* request) {
    for (Chain& chain : chains_) {
      if (chain.newest->sink != request->sink) continue;
      request->next = chain.newest;
      chain.newest = request;
      return;
    }
    request->next = nullptr;
    try {
      chains_.push_back({request, request});
    } catch (const std::bad_alloc&) {
      const auto keep = request->sink->shared_from_this();
      keep->Finish(request, request);
    }
  }

 private:
  struct Chain {
    Request* newest;
    Request* oldest;
  };
  std::vector<Chain> chains_;
};

// Of requests refused although nothing else is going on, one in so many runs.
constexpr uint32_t kTrialEvery = 16;

// A gap of so many spins between two looks at the clock: the system has run something else meanwhile.
constexpr Nanos kStarved = 4;
// For how long a lane then goes to sleep at once.
constexpr Nanos kSpinPause = 100'000'000;

// Nanoseconds, 11 days: no sum over a queue of such requests overflows.
constexpr double kMostWork = 1e15;

inline void Relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Batcher::Batcher(Executor& executor, const Clock& clock, const BatcherOptions& options)
    : executor_(executor),
      clock_(clock),
      options_(options),
      plan_(ShapePlan::OrNone(options.pending.shapes)),
      cost_(std::make_unique<CostModel[]>(plan_.buckets())),
      full_(std::make_unique<Full[]>(plan_.buckets())),
      member_(options.weight),
      pending_(options.pending),
      tally_(options.policy.max_rows),
      epoch_(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() -
             clock.Now()),
      queue_time_(DurationBounds()),
      compute_time_(DurationBounds()) {
  workers_.reserve(options_.lanes);
  for (uint32_t i = 0; i < std::max(options_.lanes, 1u); ++i) {
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
    worker.handle = executor_.NewHandle();
    // Room for whatever may wait, so that taking a batch never fails for want of memory.
    worker.batch.reserve(options_.max_queue);
    worker.dropped.reserve(options_.max_queue);
    if (options_.run_limit > 0) worker.watched.reserve(options_.max_queue);
  }
  if (options_.share != nullptr) options_.share->Join(member_, options_.lanes);
  if (!options_.threads) return;
  // Only now: a lane wakes other lanes and so reads the whole vector.
  try {
    for (auto& worker : workers_) {
      worker->thread = std::thread([this, lane = worker.get()] { Loop(*lane); });
    }
    if (options_.run_limit > 0) watchdog_ = std::thread([this] { Watch(); });
  } catch (...) {
    Close();
    throw;
  }
}

Batcher::~Batcher() { Close(); }

Code Batcher::Enqueue(Request* request) noexcept {
  const Intake<Request>::Entry entry = intake_.Reserve(options_.max_queue);
  if (entry != Intake<Request>::Entry::kOpen) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return entry == Intake<Request>::Entry::kFull ? Code::kUnavailable : Code::kFailedPrecondition;
  }
  const Nanos now = clock_.Now();
  if (const Code code = Admit(*request, now); code != Code::kOk) {
    intake_.Leave(1);
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return code;
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  request->submitted = now;
  request->place = backlog_.Add(request->priority, options_.pending.DueOf(*request), now,
                                WorkOf(*request));
  intake_.Push(request);
  return Code::kOk;
}

bool Batcher::RunInline(Request* request, RunHandle& handle, Staging& staging) noexcept {
  if (options_.inline_limit == 0 || inline_off_.load(std::memory_order_relaxed) ||
      calm_.load(std::memory_order_relaxed) < kCalm) {
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
  RunBatch({&request, 1}, {executor_, handle, staging, clock_, options_.pending.batched, &plan_,
                         options_.maps});
  const Nanos took = clock_.Now() - now;
  // Twenty times: an expectation this wrong is no preempted thread.
  if (took > 20 * options_.inline_limit) inline_off_.store(true, std::memory_order_relaxed);
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

// When a request submitted now would be answered. Lanes work off what is ahead in full batches, and it
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
  // An idle lane is not kept idle because of what one run in twenty takes.
  if (start == now && ahead == 0) return now + CostOf(request.bucket, own);
  return start + runs / Nanos{options_.lanes} * cost +
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

// When the first lane is expected to be free, at least `now`.
Nanos Batcher::NextFree(Nanos now) const noexcept {
  Nanos first = kNever;
  for (const auto& worker : workers_) {
    first = std::min(first, worker->free_at.load(std::memory_order_relaxed));
  }
  return std::max(first, now);
}

Nanos Batcher::ExpectedWait() const noexcept {
  const Nanos now = clock_.Now();
  return NextFree(now) - now + backlog_.Total() / Nanos{options_.lanes};
}

void Batcher::Wake() noexcept {
  for (auto& worker : workers_) {
    if (worker->parker.Unpark()) return;
  }
}

void Batcher::Loop(Worker& worker) {
  for (;;) {
    const Decision decision = Turn(worker);
    if (decision.action == Decision::Action::kRun) continue;
    if (intake_.Drained()) return;
    Wait(worker, decision);
  }
}

Decision Batcher::Turn(Worker& worker) {
  const bool turn = options_.share != nullptr && intake_.size() != 0;
  if (turn) options_.share->Acquire(member_);
  const Decision decision = Form(worker);
  Drop(worker);
  const bool ran = !worker.batch.empty();
  if (ran) Run(worker);
  if (turn) options_.share->Release(member_, ran ? worker.cost : 0);
  return decision;
}

Decision Batcher::Form(Worker& worker) {
  Decision decision;
  bool more = false;
  {
    const std::lock_guard lock(forming_);
    Request* const arrived = intake_.TakeAll();
    Learn(worker, arrived);
    worker.batch.clear();
    worker.dropped.clear();
    Queue(worker, arrived);
    const Nanos now = clock_.Now();
    pending_.Age(now);
    QueueView window;
    window.window_end = arrivals_.window_end();
    window.arrived = arrivals_.arrived();
    window.expected = arrivals_.expected();
    window.excess = arrivals_.excess();
    const Pending::Choice choice = pending_.Choose(window, now, options_.policy, Costs(costs()));
    decision = choice.decision;
    // Nothing that arrives can complete a batch once the model is closed.
    if (decision.action == Decision::Action::kWait && intake_.closed()) {
      decision.action = Decision::Action::kRun;
    }
    if (decision.action == Decision::Action::kRun) {
      pending_.Take(choice.group, options_.policy.max_rows, now, Costs(costs()), worker.batch,
                    worker.dropped);
    }
    Note(worker, decision);
    // What was only refused for want of memory is an answer, too.
    if (!worker.dropped.empty()) decision.action = Decision::Action::kRun;
    for (const Request* request : worker.batch) backlog_.Remove(request->place);
    for (const Request* request : worker.dropped) backlog_.Remove(request->place);
    const auto taken = static_cast<uint32_t>(worker.batch.size() + worker.dropped.size());
    running_.fetch_add(taken, std::memory_order_relaxed);
    intake_.Leave(taken);
    more = !pending_.empty();
  }
  if (more && decision.action == Decision::Action::kRun) Wake();
  return decision;
}

// Counts what operators see of the policy, and whether the load is such that joining requests pays.
void Batcher::Note(const Worker& worker, const Decision& decision) noexcept {
  if (decision.action == Decision::Action::kWait) held_.fetch_add(1, std::memory_order_relaxed);
  if (worker.batch.size() >= kCrowd) {
    calm_.store(0, std::memory_order_relaxed);
  } else if (!worker.batch.empty() && worker.batch.size() <= kCrowd / 2) {
    const uint32_t calm = calm_.load(std::memory_order_relaxed);
    calm_.store(std::min(calm + 1, kCalm), std::memory_order_relaxed);
  }
}

// Queues what has arrived. Requests for which there is no memory to queue them are dropped at once.
void Batcher::Queue(Worker& worker, Request* arrived) noexcept {
  for (Request* request = arrived; request != nullptr;) {
    Request* const next = request->next;
    request->sequence = next_sequence_++;
    request->status = {};
    try {
      pending_.Add(request);
    } catch (const std::bad_alloc&) {
      request->status = Status::Of(Code::kResourceExhausted, "Out of memory: send fewer requests");
      worker.dropped.push_back(request);
    }
    request = next;
  }
}

// Tells the models about the batch this lane has run since it last formed one, and about what has come:
// what came during the run before its end, for that is the window it belongs to.
void Batcher::Learn(Worker& worker, const Request* arrived) {
  for (const Request* request = arrived; request != nullptr; request = request->next) {
    if (request->submitted <= worker.ended) arrivals_.Arrived(request->submitted);
  }
  if (worker.ended != 0) {
    cost_[worker.bucket].Observe(plan_.RunRows(worker.rows), worker.cost);
    MeasureFull(worker.bucket);
    arrivals_.Completed(worker.ended, worker.cost, worker.batch.size());
    returning_.store(arrivals_.returning(), std::memory_order_relaxed);
    arrival_rate_.store(arrivals_.rate(), std::memory_order_relaxed);
  }
  for (const Request* request = arrived; request != nullptr; request = request->next) {
    if (request->submitted > worker.ended) arrivals_.Arrived(request->submitted);
  }
  worker.ended = 0;
}

void Batcher::Wait(Worker& worker, const Decision& decision) {
  const bool idle = decision.action == Decision::Action::kIdle;
  // A lane that holds a batch back knows of the requests already queued; only news concern it.
  const auto has_work = [this, idle] {
    return intake_.HasNews() || (idle && intake_.Occupied());
  };
  if (options_.spin > 0 && Spin(worker, has_work, decision.until)) return;
  worker.parker.Park(has_work, decision.until);
}

// Looks for work for a short while; true if there is some. Where other threads want the core it is
// theirs: a lane that finds itself interrupted does not spin again for a time.
template <class HasWork>
bool Batcher::Spin(Worker& worker, HasWork has_work, Nanos deadline) noexcept {
  Nanos now = clock_.Now();
  if (now < worker.spin_again) return false;
  const Nanos until = std::min(now + options_.spin, deadline);
  while (now < until) {
    if (has_work()) return true;
    for (int i = 0; i < 32; ++i) Relax();
    const Nanos before = std::exchange(now, clock_.Now());
    if (now - before > kStarved * options_.spin) {
      worker.spin_again = now + kSpinPause;
      return false;
    }
  }
  return false;
}

void Batcher::Run(Worker& worker) {
  Delivery delivery;
  const Nanos began = clock_.Now();
  worker.rows = 0;
  worker.bucket = 0;
  for (const Request* request : worker.batch) {
    worker.rows += request->rows;
    worker.bucket = plan_.Join(worker.bucket, request->bucket);
  }
  worker.free_at.store(began + CostOf(worker.bucket, worker.rows), std::memory_order_relaxed);
  {
    const std::lock_guard lock(worker.overdue_mutex);
    worker.started = began;
    if (options_.run_limit > 0) worker.watched = worker.batch;
  }
  RunBatch(worker.batch,
           {executor_, *worker.handle, worker.staging, clock_, options_.pending.batched, &plan_,
                         options_.maps});
  {
    const std::lock_guard lock(worker.overdue_mutex);
    worker.started = 0;
    if (std::exchange(worker.overdue, false)) stuck_.fetch_sub(1, std::memory_order_relaxed);
  }
  worker.free_at.store(0, std::memory_order_relaxed);
  worker.ended = clock_.Now();
  worker.cost = worker.ended - began;
  Add(worker.batch, worker.rows, began, worker.ended);
  for (Request* request : worker.batch) {
    Count(*request);
    delivery.Add(request);
  }
  running_.fetch_sub(static_cast<uint32_t>(worker.batch.size()), std::memory_order_relaxed);
}

void Batcher::Drop(Worker& worker) {
  if (worker.dropped.empty()) return;
  Delivery delivery;
  const Nanos now = clock_.Now();
  for (Request* request : worker.dropped) {
    request->started = request->finished = now;
    if (request->cancelled.load(std::memory_order_relaxed)) {
      request->status = Status::Of(Code::kCancelled, "The request was cancelled before it ran");
    } else if (request->status.ok()) {
      request->status = Status::Of(
          Code::kDeadlineExceeded,
          "The deadline passed before the request ran: allow more time or lower the load");
    }
    Count(*request);
    delivery.Add(request);
  }
  running_.fetch_sub(static_cast<uint32_t>(worker.dropped.size()), std::memory_order_relaxed);
}

// Counts a run, of which every request has its outcome.
void Batcher::Add(std::span<Request* const> batch, int64_t rows, Nanos began, Nanos ended) noexcept {
  batches_.fetch_add(1, std::memory_order_relaxed);
  rows_.fetch_add(static_cast<uint64_t>(rows), std::memory_order_relaxed);
  Nanos started = ended;
  Nanos finished = began;
  Nanos compute = 0;
  uint64_t answered = 0;
  for (const Request* request : batch) {
    started = std::min(started, request->started);
    finished = std::max(finished, request->finished);
    compute = std::max(compute, request->finished - request->started);
    answered += request->status.ok() ? 1 : 0;
    queue_time_.Observe(request->started - request->submitted);
  }
  compute_time_.Observe(compute);
  tally_.Observe(rows, answered, {started - began, compute, ended - finished}, ended);
}

void Batcher::Count(const Request& request) noexcept {
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

// Sleeps until the oldest run would pass the limit. A run that starts meanwhile is not due before
// the sleep of half a limit is over.
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

// Ends the lane's run if it has passed the limit; otherwise returns how long it still has.
Nanos Batcher::GiveUpOverdue(Worker& worker, Nanos now) {
  const std::lock_guard lock(worker.overdue_mutex);
  if (worker.started == 0) return kNever;
  const Nanos left = worker.started + options_.run_limit - now;
  if (left > 0) return left;
  worker.handle->Terminate();
  // Again at the next look: a batch that is split runs more than once.
  if (worker.overdue) return kNever;
  worker.overdue = true;
  stuck_.fetch_add(1, std::memory_order_relaxed);
  try {
    const Status status(Code::kDeadlineExceeded, "The run took longer than a run of this model may");
    for (const Request* request : worker.watched) {
      request->sink->AnswerEarly(request->slot, request->turn, status);
    }
  } catch (const std::bad_alloc&) {
    // They are answered when the run returns.
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
  stats.stuck_lanes = stuck_.load(std::memory_order_relaxed);
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
  stats.answered = tally_.Requests();
  if (const Nanos last = tally_.last(); last != 0) stats.last_run = epoch_ + last;
  stats.queue = queue_time_.Read();
  stats.compute = compute_time_.Read();
  return stats;
}

}  // namespace millrace
