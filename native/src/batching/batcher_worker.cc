// The workers of a batcher, which form batches, run them, and pass finished requests to their sinks.
#include "batching/batcher.h"

#include <algorithm>
#include <new>
#include <utility>

namespace millrace {
namespace {

// Passes finished requests to their sinks, in one chain for each sink.
class Delivery {
 public:
  ~Delivery() {
    for (const Chain& chain : chains_) {
      // The sink may be released when it has got its last request.
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

// If two looks at the clock are this many spins apart, the system has run another thread meanwhile.
constexpr Nanos kStarved = 4;
// How long a worker then sleeps without spinning before.
constexpr Nanos kSpinPause = 100'000'000;

inline void Relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

class Batcher::Watched final : public RunObserver {
 public:
  Watched(Batcher& batcher, Worker& worker) : batcher_(batcher), worker_(worker) {}

  void Begin(std::span<Request* const> requests, Nanos now) noexcept override {
    ++runs_;
    const std::lock_guard lock(worker_.overdue_mutex);
    worker_.started = now;
    // There is room for them; see the constructor.
    if (batcher_.options_.run_limit > 0) worker_.watched.assign(requests.begin(), requests.end());
  }

  void End() noexcept override {
    const std::lock_guard lock(worker_.overdue_mutex);
    worker_.started = 0;
    if (std::exchange(worker_.overdue, false)) {
      batcher_.stuck_.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  size_t runs() const noexcept { return runs_; }

 private:
  Batcher& batcher_;
  Worker& worker_;
  size_t runs_ = 0;
};

void Batcher::Loop(Worker& worker) {
  for (;;) {
    const Decision decision = Turn(worker);
    if (decision.action == Decision::Action::kRun) continue;
    if (intake_.Drained()) return;
    Wait(worker, decision);
  }
}

Decision Batcher::Turn(Worker& worker) {
  AskForTurn(worker);
  const Decision decision = Form(worker);
  Drop(worker);
  const bool ran = !worker.batch.empty();
  if (ran) Run(worker);
  worker.used = ran ? worker.cost : 0;
  if (worker.has_turn && decision.action != Decision::Action::kRun) EndTurn(worker);
  return decision;
}

// A worker that has ended a run keeps its turn until it asks for the next one.
void Batcher::AskForTurn(Worker& worker) {
  if (options_.share == nullptr) return;
  if (intake_.size() == 0) return EndTurn(worker);
  if (worker.has_turn) {
    options_.share->Renew(member_, worker.used);
  } else {
    options_.share->Acquire(member_);
  }
  worker.has_turn = true;
}

void Batcher::EndTurn(Worker& worker) {
  if (std::exchange(worker.has_turn, false)) options_.share->Release(member_, worker.used);
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
    if (!batched()) pending_.StopBatching();
    worker.batched = pending_.batched();
    const Nanos now = clock_.Now();
    pending_.Age(now);
    QueueView window;
    window.window_end = arrivals_.window_end();
    window.arrived = arrivals_.arrived();
    window.expected = arrivals_.expected();
    window.excess = arrivals_.excess();
    // It is relaxed, because a worker that ends a run takes the mutex next, and so sees the requests that wait.
    window.busy = options_.devices != 0 &&
                  workers_busy_.load(std::memory_order_relaxed) >= options_.devices;
    const Pending::Choice choice = pending_.Choose(window, now, options_.policy, Costs(costs()));
    decision = choice.decision;
    // Once the model is closed no request arrives that could make the batch full.
    if (decision.action == Decision::Action::kWait && intake_.closed()) {
      decision.action = Decision::Action::kRun;
    }
    if (decision.action == Decision::Action::kRun) {
      pending_.Take(choice.group, options_.policy.max_rows, now, Costs(costs()), worker.batch,
                    worker.dropped);
    }
    Note(worker, decision);
    // Requests that are dropped for lack of memory are finished, too.
    if (!worker.dropped.empty()) decision.action = Decision::Action::kRun;
    for (const auto* gone : {&worker.batch, &worker.dropped}) {
      for (const Request* request : *gone) {
        backlog_.Remove(request->place);
        quota_.Leave(request->priority);
      }
    }
    const auto taken = static_cast<uint32_t>(worker.batch.size() + worker.dropped.size());
    running_.fetch_add(taken, std::memory_order_relaxed);
    if (!worker.batch.empty()) workers_busy_.fetch_add(1, std::memory_order_relaxed);
    intake_.Leave(taken);
    more = !pending_.empty();
  }
  if (more && decision.action == Decision::Action::kRun) Wake();
  return decision;
}

// Updates the statistics of the policy, and whether batching pays under the present load.
void Batcher::Note(const Worker& worker, const Decision& decision) noexcept {
  if (decision.action == Decision::Action::kWait) held_.fetch_add(1, std::memory_order_relaxed);
  if (worker.batch.size() >= kLargeBatch) {
    small_batches_.store(0, std::memory_order_relaxed);
  } else if (!worker.batch.empty() && worker.batch.size() <= kLargeBatch / 2) {
    const uint32_t before = small_batches_.load(std::memory_order_relaxed);
    small_batches_.store(std::min(before + 1, kSmallBatchesForInline), std::memory_order_relaxed);
  }
}

// Queues the requests that have arrived. Requests for which there is no memory are dropped at once.
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

// Updates the cost and arrival models with the batch that this worker has run and with the requests that have arrived.
// Those that arrived during the run come first, because they belong to the window before its end.
void Batcher::Learn(Worker& worker, const Request* arrived) {
  for (const Request* request = arrived; request != nullptr; request = request->next) {
    if (request->submitted <= worker.ended) arrivals_.Arrived(request->submitted);
  }
  if (worker.ended != 0) {
    if (worker.typical) {
      cost_[worker.bucket].Observe(plan_.RunRows(worker.rows), worker.cost);
      MeasureFull(worker.bucket);
    }
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
  // A worker that holds a batch back knows the queued requests, so only new ones wake it.
  const auto has_work = [this, idle] {
    return intake_.HasNews() || (idle && intake_.Occupied());
  };
  if (options_.spin > 0 && Spin(worker, has_work, decision.until)) return;
  worker.parker.Park(has_work, decision.until);
}

// Looks for work for a short time. Returns whether there is some. Other threads that need the core have precedence: a
// worker that was interrupted does not spin again for some time.
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
  worker.free_at.store(NextFree(began) + CostOf(worker.bucket, worker.rows),
                       std::memory_order_relaxed);
  Watched watched(*this, worker);
  RunContext context{executor_,      *worker.handle, worker.staging, clock_,
                     worker.batched, &plan_,         options_.maps};
  context.observer = &watched;
  RunBatch(worker.batch, context);
  worker.free_at.store(0, std::memory_order_relaxed);
  worker.ended = clock_.Now();
  worker.cost = worker.ended - std::min(worker.handle->Started(began), worker.ended);
  worker.typical = watched.runs() == 1 &&
                   std::ranges::any_of(worker.batch, [](const Request* request) {
                     return request->status.ok();
                   });
  Add(worker.batch, worker.rows, began, worker.ended);
  for (Request* request : worker.batch) {
    Count(*request);
    delivery.Add(request);
  }
  running_.fetch_sub(static_cast<uint32_t>(worker.batch.size()), std::memory_order_relaxed);
  workers_busy_.fetch_sub(1, std::memory_order_relaxed);
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

}  // namespace millrace
