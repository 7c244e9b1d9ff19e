// The dynamic batcher of one model.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "batching/arrivals.h"
#include "batching/backlog.h"
#include "batching/batch.h"
#include "batching/costs.h"
#include "batching/intake.h"
#include "batching/parker.h"
#include "batching/pending.h"
#include "batching/policy.h"
#include "batching/quota.h"
#include "batching/share.h"
#include "batching/stats.h"

namespace millrace {

struct BatcherOptions {
  BatchPolicy policy;
  PendingOptions pending;
  // The most waiting requests; Submit refuses one more.
  uint32_t max_queue = 1024;
  // The most waiting requests of each priority; see Quota.
  std::vector<uint32_t> max_queue_by_priority;
  // The number of threads that form and run batches, at least 1.
  uint32_t workers = 1;
  // How many batches run at a time, at most as many as workers; 0 means as many. The other workers form the next batch
  // when it is full, and copy its inputs while others run. See StagedExecutor.
  uint32_t devices = 0;
  // How long a worker that has ended a run looks for more work before it sleeps. It costs that much CPU time in each
  // idle period, and saves a wake-up of several microseconds. It is 0 on machines with few cores.
  Nanos spin = 0;
  // A run that takes longer is terminated, and its requests fail at once. 0 means no limit.
  Nanos run_limit = 0;
  // Divides the device's time between models by weight. May be null; must outlive the batcher.
  DeviceShare* share = nullptr;
  // Runs that are expected to be shorter may be made by the submitting thread; see RunInline. 0 means that none is.
  Nanos inline_limit = 0;
  double weight = 1;
  // Converts inputs to the form that the model takes. May be null; must outlive the batcher.
  const InputMaps* maps = nullptr;
  // If false, there are no threads: the caller of Turn and Patrol does the work of the workers and the watchdog, at the
  // times of its own clock.
  bool threads = true;
};

// Forms batches of the requests of one model and runs them on its executor.
//
// HOW IT WORKS
//   1. Submit pushes the request to the inbox and wakes a worker if one is asleep.
//   2. A worker that is free takes the forming mutex, moves the requests from the inbox to the queue, asks the policy,
//      and takes a batch. Nothing is decided before a worker is free, so that urgency, deadlines and cancellation count
//      until the last moment, and batches grow while the workers are busy.
//   3. It runs the batch, and passes each of its requests to the request's sink.
//
// LATENCY Submit is lock-free: it never waits for a worker, and no worker holds a lock that it needs. One worker at a
// time forms a batch, and only workers wait for each other there. An idle worker runs a request at once unless the
// policy holds it back.
//
// EXACTLY ONCE Every request for which Submit returned kOk reaches its sink exactly once, whatever its outcome. A
// request whose run passes the limit fails early (CompletionSink::FailEarly), and still reaches the sink when the run
// returns, because its memory is in use until then.
//
// Thread-safe, except that the destructor must be the last call.
class Batcher {
 public:
  Batcher(Executor& executor, const Clock& clock, const BatcherOptions& options);
  // Calls Close.
  ~Batcher();

  // Submits a request. If the result is kOk it belongs to the batcher until it reaches its sink; other threads may use
  // only its `cancelled` and `borrow` until then. Otherwise the result is
  //   kUnavailable          if the queue is full, or the request would miss its deadline behind the runs in progress and
  //                         the waiting requests that are as urgent; try again after ExpectedWait
  //   kDeadlineExceeded     if it would miss its deadline even alone
  //   kFailedPrecondition   if the batcher is closed
  // It is a code without a message, because a refusal must cost little.
  Code Submit(Request* request) noexcept {
    const Code code = Enqueue(request);
    if (code == Code::kOk) Wake();
    return code;
  }

  // Submits without waking a worker, for callers that submit several requests at a time: a worker that is awake may take
  // the request, and one that is asleep does not until Wake.
  Code Enqueue(Request* request) noexcept;
  // Wakes a worker if one is asleep. Lock-free.
  void Wake() noexcept;

  // Runs `request` on the calling thread if that is quickest, which means that all workers are idle, no request waits,
  // and the run is expected to be shorter than it takes to wake a worker. Returns whether it has run; the request then
  // has its outcome, and its sink is not called. Under load, batches serve more requests: after a batch of four or more
  // requests the workers take all requests until sixteen batches in a row had one or two. The same happens after a run
  // that was too long. The caller lets the workers batch requests that arrive together.
  bool RunInline(Request* request, RunHandle& handle, Staging& staging) noexcept;

  // Returns whether requests are batched. It is false once the outputs of a request that ran alone had another number of
  // rows than its inputs.
  bool batched() const noexcept {
    return options_.pending.batched && !other_rows_.load(std::memory_order_relaxed);
  }

  // Returns how long a request that is submitted now would wait, estimated from measured costs.
  Nanos ExpectedWait() const noexcept;

  // Refuses new requests, finishes the accepted ones, and ends the workers. Blocks until then. Idempotent.
  void Close();

  BatcherStats Stats() const;
  const BatcherOptions& options() const noexcept { return options_; }
  // The costs of runs in a length bucket. They may be seeded or measured before the first request.
  CostModel& cost(size_t bucket = 0) noexcept { return cost_[bucket]; }
  std::span<CostModel> costs() noexcept { return {cost_.get(), plan_.buckets()}; }

  // For a batcher without threads: does what worker `worker` does between two sleeps, which is to form a batch, run it,
  // and pass the finished requests on. The decision says how long the worker would sleep. A worker may have only one
  // call at a time.
  Decision Turn(size_t worker) { return Turn(*workers_[worker]); }
  // For a batcher without threads: does what the watchdog does between two sleeps, which is to terminate the runs that
  // have passed the limit. Returns how long it would sleep, or kNever if no run is in progress.
  Nanos Patrol();

  // -------------------------------------------------------------------------------------------
  // Implementation details follow.
 private:
  // A batch of kLargeBatch requests shows that batching pays; kSmallBatchesForInline batches in a row of at most two
  // requests show that it does not any more.
  static constexpr size_t kLargeBatch = 4;
  static constexpr uint32_t kSmallBatchesForInline = 16;

  struct Worker {
    Parker<> parker;
    std::unique_ptr<RunHandle> handle;
    Staging staging;
    std::vector<Request*> batch;
    std::vector<Request*> dropped;
    // Whether requests were batched when the batch was formed.
    bool batched = false;

    // The batch that ended last, from which the cost and arrival models learn.
    Nanos ended = 0;
    Nanos cost = 0;
    // Whether the cost is that of one run which succeeded.
    bool typical = false;
    int64_t rows = 0;
    size_t bucket = 0;

    // Whether the worker has a turn of the device, and how much of it has been used.
    bool has_turn = false;
    Nanos used = 0;

    // The time from which the worker may spin again.
    Nanos spin_again = 0;

    // When the present run is expected to end, or 0 between runs.
    std::atomic<Nanos> free_at{0};

    // Shared by the worker and the watchdog: the run in progress, and whether it has been terminated.
    std::mutex overdue_mutex;
    Nanos started = 0;              // 0 between runs; guarded by overdue_mutex
    bool overdue = false;           // guarded by overdue_mutex
    std::vector<Request*> watched;  // guarded by overdue_mutex

    std::thread thread;
  };

  // Lets the watchdog see each run of a worker's batch.
  class Watched;

  void Loop(Worker& worker);
  Decision Turn(Worker& worker);
  void AskForTurn(Worker& worker);
  void EndTurn(Worker& worker);
  Decision Form(Worker& worker);
  void Queue(Worker& worker, Request* arrived) noexcept;
  void Note(const Worker& worker, const Decision& decision) noexcept;
  void Learn(Worker& worker, const Request* arrived);
  void Wait(Worker& worker, const Decision& decision);
  template <class HasWork>
  bool Spin(Worker& worker, HasWork has_work, Nanos deadline) noexcept;
  void Run(Worker& worker);
  void Drop(Worker& worker);
  void Count(const Request& request) noexcept;
  void Add(std::span<Request* const> batch, int64_t rows, Nanos began, Nanos ended) noexcept;
  // Returns how many batches run at a time.
  Nanos Devices() const noexcept {
    return Nanos{options_.devices == 0 ? options_.workers : options_.devices};
  }
  Nanos NextFree(Nanos now) const noexcept;
  Code Admit(Request& request, Nanos now) noexcept;
  Nanos ExpectedEnd(const Request& request, Nanos now) const noexcept;
  Nanos WorkOf(const Request& request) noexcept;
  void MeasureFull(size_t bucket) noexcept;
  // Returns the expected time of a run with this many rows of requests.
  Nanos CostOf(size_t bucket, int64_t rows) const noexcept {
    return cost_[bucket].Mean(plan_.RunRows(rows));
  }

  void Watch();
  Nanos GiveUpOverdue(Worker& worker, Nanos now);

  Executor& executor_;
  const Clock& clock_;
  const BatcherOptions options_;
  const ShapePlan& plan_;
  // One cost model for each length bucket of the plan.
  const std::unique_ptr<CostModel[]> cost_;
  // The batch that workers form of a length bucket while more than a batch waits. It is kept, because to compute it for
  // each request would take too long. A cost of 0 means that it is not known yet.
  struct Full {
    std::atomic<int64_t> rows{1};
    std::atomic<Nanos> cost{0};
  };
  struct FullBatch {
    int64_t rows;
    Nanos cost;
  };
  FullBatch FullOf(size_t bucket) const noexcept {
    return {full_[bucket].rows.load(std::memory_order_relaxed),
            full_[bucket].cost.load(std::memory_order_relaxed)};
  }
  const std::unique_ptr<Full[]> full_;
  DeviceShare::Member member_;

  // Used by submitters and workers.
  Intake<Request> intake_;
  Quota quota_;
  std::atomic<uint64_t> submitted_{0};
  std::atomic<uint64_t> rejected_{0};
  Backlog backlog_;
  // The number of requests that were refused because of their costs while nothing else was in progress.
  std::atomic<uint32_t> doubts_{0};

  // Used by workers.
  alignas(kCacheLine) std::mutex forming_;
  Pending pending_;             // guarded by forming_
  ArrivalModel arrivals_;       // guarded by forming_
  uint64_t next_sequence_ = 0;  // guarded by forming_
  std::atomic<double> returning_{0};
  std::atomic<double> arrival_rate_{0};  // per nanosecond
  std::atomic<uint64_t> held_{0};
  std::atomic<uint64_t> inline_runs_{0};
  // The number of small batches in a row, up to kSmallBatchesForInline, from which on requests may run inline.
  std::atomic<uint32_t> small_batches_{kSmallBatchesForInline};
  // It is relaxed: a batch that is formed meanwhile finds it out by itself.
  std::atomic<bool> other_rows_{false};
  std::atomic<uint32_t> running_{0};
  std::atomic<uint32_t> workers_busy_{0};
  std::atomic<uint32_t> stuck_{0};
  std::atomic<uint64_t> completed_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> cancelled_{0};
  std::atomic<uint64_t> expired_{0};
  std::atomic<uint64_t> batches_{0};
  std::atomic<uint64_t> rows_{0};
  Tally tally_;
  // The time since the Unix epoch at zero of the clock.
  const Nanos epoch_;
  Histogram queue_time_;
  Histogram compute_time_;

  std::mutex closing_;  // held while Close joins
  std::vector<std::unique_ptr<Worker>> workers_;

  std::mutex watching_;
  std::condition_variable watch_ended_;
  bool watch_over_ = false;  // guarded by watching_
  std::thread watchdog_;
};

}  // namespace millrace
