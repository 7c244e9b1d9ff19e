#include "batching/batcher.h"

#include <algorithm>
#include <string>

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
    chains_.push_back({request, request});
  }

 private:
  struct Chain {
    Request* newest;
    Request* oldest;
  };
  std::vector<Chain> chains_;
};

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
      pending_(options.batched),
      queue_time_(DurationBounds()),
      compute_time_(DurationBounds()) {
  workers_.reserve(options_.lanes);
  for (uint32_t i = 0; i < std::max(options_.lanes, 1u); ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->handle = executor_.NewHandle();
  }
  // Only now: a lane wakes other lanes and so reads the whole vector.
  for (auto& worker : workers_) {
    worker->thread = std::thread([this, lane = worker.get()] { Loop(*lane); });
  }
}

Batcher::~Batcher() { Close(); }

Code Batcher::Submit(Request* request) noexcept {
  // Counted before `closed_` is read, and Close reads it after writing `closed_`: either the lanes
  // see this request coming and stay, or this call sees that they are leaving.
  if (queued_.fetch_add(1, std::memory_order_seq_cst) >= options_.max_queue) {
    queued_.fetch_sub(1, std::memory_order_relaxed);
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return Code::kUnavailable;
  }
  if (closed_.load(std::memory_order_seq_cst)) {
    queued_.fetch_sub(1, std::memory_order_release);
    rejected_.fetch_add(1, std::memory_order_relaxed);
    WakeOne();
    return Code::kFailedPrecondition;
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  request->submitted = clock_.Now();
  inbox_.Push(request, request);
  WakeOne();
  return Code::kOk;
}

void Batcher::WakeOne() noexcept {
  for (auto& worker : workers_) {
    if (worker->parker.Unpark()) return;
  }
}

bool Batcher::Drained() const noexcept {
  return closed_.load(std::memory_order_seq_cst) && queued_.load(std::memory_order_seq_cst) == 0;
}

void Batcher::Loop(Worker& worker) {
  for (;;) {
    const Decision decision = Form(worker);
    Drop(worker);
    if (!worker.batch.empty()) {
      Run(worker);
    } else if (Drained()) {
      return;
    } else if (decision.action != Decision::Action::kRun) {
      Wait(worker, decision);
    }
  }
}

Decision Batcher::Form(Worker& worker) {
  worker.batch.clear();
  worker.dropped.clear();
  Decision decision;
  bool more = false;
  {
    const std::lock_guard lock(forming_);
    for (Request* request = inbox_.TakeAll(); request != nullptr;) {
      Request* const next = request->next;
      request->sequence = next_sequence_++;
      pending_.Add(request);
      request = next;
    }
    const Nanos now = clock_.Now();
    decision = Decide(pending_.View(options_.policy), now, options_.policy);
    // Nothing that arrives can complete a batch once the model is closed.
    if (decision.action == Decision::Action::kWait && closed_.load(std::memory_order_relaxed)) {
      decision.action = Decision::Action::kRun;
    }
    if (decision.action == Decision::Action::kRun) {
      pending_.Take(options_.policy.max_rows, now, worker.batch, worker.dropped);
    }
    const auto taken = static_cast<uint32_t>(worker.batch.size() + worker.dropped.size());
    running_.fetch_add(taken, std::memory_order_relaxed);
    queued_.fetch_sub(taken, std::memory_order_seq_cst);
    more = !pending_.empty();
  }
  if (more && decision.action == Decision::Action::kRun) WakeOne();
  return decision;
}

void Batcher::Wait(Worker& worker, const Decision& decision) {
  const bool idle = decision.action == Decision::Action::kIdle;
  // A lane that holds a batch back knows of the requests already queued; only news concern it.
  const auto has_work = [this, idle] {
    return !inbox_.Empty() || closed_.load(std::memory_order_seq_cst) ||
           (idle && queued_.load(std::memory_order_seq_cst) != 0);
  };
  if (options_.spin > 0) {
    const Nanos until = std::min(clock_.Now() + options_.spin, decision.until);
    while (clock_.Now() < until) {
      if (has_work()) return;
      for (int i = 0; i < 32; ++i) Relax();
    }
  }
  worker.parker.Park(has_work, decision.until);
}

void Batcher::Run(Worker& worker) {
  Delivery delivery;
  RunBatch(worker.batch, {executor_, *worker.handle, worker.staging, clock_, options_.batched});
  batches_.fetch_add(1, std::memory_order_relaxed);
  Nanos compute = 0;
  for (Request* request : worker.batch) {
    compute = std::max(compute, request->finished - request->started);
    rows_.fetch_add(static_cast<uint64_t>(request->rows), std::memory_order_relaxed);
    queue_time_.Observe(request->started - request->submitted);
    Count(*request);
    delivery.Add(request);
  }
  compute_time_.Observe(compute);
  running_.fetch_sub(static_cast<uint32_t>(worker.batch.size()), std::memory_order_relaxed);
}

void Batcher::Drop(Worker& worker) {
  if (worker.dropped.empty()) return;
  Delivery delivery;
  const Nanos now = clock_.Now();
  for (Request* request : worker.dropped) {
    request->started = request->finished = now;
    request->status =
        request->cancelled.load(std::memory_order_relaxed)
            ? Status{Code::kCancelled, "The request was cancelled before it ran"}
            : Status{Code::kDeadlineExceeded,
                     "The deadline passed before the request ran: allow more time or lower the load"};
    Count(*request);
    delivery.Add(request);
  }
  running_.fetch_sub(static_cast<uint32_t>(worker.dropped.size()), std::memory_order_relaxed);
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
  closed_.store(true, std::memory_order_seq_cst);
  for (auto& worker : workers_) worker->parker.Unpark();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

BatcherStats Batcher::Stats() const {
  BatcherStats stats;
  stats.completed = completed_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.cancelled = cancelled_.load(std::memory_order_relaxed);
  stats.expired = expired_.load(std::memory_order_relaxed);
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  stats.queued = queued_.load(std::memory_order_relaxed);
  stats.running = running_.load(std::memory_order_relaxed);
  stats.batches = batches_.load(std::memory_order_relaxed);
  stats.rows = rows_.load(std::memory_order_relaxed);
  stats.submitted = submitted_.load(std::memory_order_relaxed);
  stats.queue = queue_time_.Read();
  stats.compute = compute_time_.Read();
  return stats;
}

}  // namespace millrace
