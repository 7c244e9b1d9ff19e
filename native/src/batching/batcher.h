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
  // Most requests waiting; Submit refuses one more.
  uint32_t max_queue = 1024;
  // Of them at most so many of each priority; see Quota.
  std::vector<uint32_t> max_queue_by_priority;
  // Threads that form and run batches, at least 1.
  uint32_t workers = 1;
  // Runs that go on at once, at most as many as workers; 0: as many. Workers beyond that number form the next
  // batch, once it is full, and make its copies while others run. See StagedExecutor.
  uint32_t devices = 0;
  // How long a worker that has just run looks for more work before it sleeps. Costs that much CPU per
  // idle period and saves a wake-up of several microseconds; 0 on machines with few cores.
  Nanos spin = 0;
  // A run that takes longer is cut short and its requests are answered at once. 0: no limit.
  Nanos run_limit = 0;
  // Divides the device's time with other models, by weight. May be null; outlives the batcher.
  DeviceShare* share = nullptr;
  // Runs expected to be shorter than this may be made by the submitting thread; see RunInline. 0: none.
  Nanos inline_limit = 0;
  double weight = 1;
  // How requests' inputs become the model's. May be null; outlives the batcher.
  const InputMaps* maps = nullptr;
  // False: no worker and no watchdog runs by itself; whoever calls Turn and Patrol stands for them, in
  // a time of its own.
  bool threads = true;
};

// GROUPS requests of one model into runs of its executor.
//
// HOW IT WORKS
//   1. Submit pushes the request to the inbox and wakes a worker if one sleeps.
//   2. A worker that is free takes the forming mutex, empties the inbox into the queue, asks the
//      policy, and takes a batch. Nothing is decided before a worker is free (late binding), so
//      urgency, deadlines and cancellation count until the last moment, and batches grow just as
//      much as the workers are busy.
//   3. It runs the batch, and hands every request of it to its sink.
//
// LATENCY CONTRACT Submit is lock-free: it never waits for a worker, and no worker holds anything it
// needs. Batches are formed by one worker at a time, and only workers wait for each other there. An idle
// worker runs a request at once unless the policy says otherwise.
//
// EXACTLY ONCE Every request for which Submit returned kOk reaches its sink exactly once, whatever
// becomes of it. One that runs past the limit is answered early (CompletionSink::AnswerEarly), and
// still reaches the sink when the run returns, since its memory is in use until then.
//
// Thread-safe, except that the destructor must be the last call.
class Batcher {
 public:
  Batcher(Executor& executor, const Clock& clock, const BatcherOptions& options);
  // As Close.
  ~Batcher();

  // Hands `request` over iff the result is kOk; until it reaches its sink nobody else may touch it
  // but for `cancelled` and `borrow`. kUnavailable: the queue is full, or the request would miss its
  // deadline behind the runs in progress and what waits and is as urgent; try again after
  // ExpectedWait. kDeadlineExceeded: it would miss it even alone. kFailedPrecondition: closed. A code
  // and no sentence, because a refusal must cost nothing.
  Code Submit(Request* request) noexcept {
    const Code code = Enqueue(request);
    if (code == Code::kOk) Wake();
    return code;
  }

  // Submit without waking a worker, for callers that submit several requests at once: a worker that is
  // awake may take the request, a sleeping one does not until Wake.
  Code Enqueue(Request* request) noexcept;
  // Wakes a worker if one sleeps. Lock-free.
  void Wake() noexcept;

  // Runs `request` on the calling thread if that is the quickest way: all workers idle, nothing queued,
  // the run shorter than handing it over. Returns whether it did; the request then has its outcome,
  // and its sink is not told. Under load workers serve more by joining requests: once they have formed a
  // batch of four or more they keep all of them, until sixteen batches in a row were of one or two. A
  // run that turns out long goes back to the workers in the same way. The caller sees to it that requests
  // which come together are joined instead.
  bool RunInline(Request* request, RunHandle& handle, Staging& staging) noexcept;

  // Whether requests share runs: false once one that ran alone has come back with another number of rows.
  bool batched() const noexcept {
    return options_.pending.batched && !other_rows_.load(std::memory_order_relaxed);
  }

  // How long a request submitted now would wait before it runs, going by measured costs.
  Nanos ExpectedWait() const noexcept;

  // Refuses new requests, finishes those accepted, ends the workers. Blocks; idempotent.
  void Close();

  BatcherStats Stats() const;
  const BatcherOptions& options() const noexcept { return options_; }
  // What runs of a bucket cost. Seed or warm it before the first request.
  CostModel& cost(size_t bucket = 0) noexcept { return cost_[bucket]; }
  std::span<CostModel> costs() noexcept { return {cost_.get(), plan_.buckets()}; }

  // What worker `worker` does between two sleeps: forms a batch, runs it, hands over what is finished. What
  // it decided says how long it may sleep. For a batcher without threads; never twice at a time for one
  // worker.
  Decision Turn(size_t worker) { return Turn(*workers_[worker]); }
  // What the watchdog does between two sleeps: gives up the runs that have passed the limit. How long
  // until the next of them will have, kNever if none is in progress.
  Nanos Patrol();

  // -------------------------------------------------------------------------------------------
  // Implementation details follow.
 private:
  // A batch of so many requests says that joining them pays; it takes that many small ones in a row, of
  // two at most, to say that it does not any more.
  static constexpr size_t kLargeBatch = 4;
  static constexpr uint32_t kSmallBatchesForInline = 16;

  struct Worker {
    Parker<> parker;
    std::unique_ptr<RunHandle> handle;
    Staging staging;
    std::vector<Request*> batch;
    std::vector<Request*> dropped;
    // Whether requests shared runs when the batch was formed.
    bool batched = false;

    // The batch that ended last, for the models to learn from.
    Nanos ended = 0;
    Nanos cost = 0;
    int64_t rows = 0;
    size_t bucket = 0;

    // Whether it has a turn of the device, and how much of that it has used.
    bool has_turn = false;
    Nanos used = 0;

    // Not before it may spin.
    Nanos spin_again = 0;

    // When the present run is expected to end; 0 between runs.
    std::atomic<Nanos> free_at{0};

    // Between the worker and the watchdog: the run in progress, and whether it has been given up.
    std::mutex overdue_mutex;
    Nanos started = 0;              // 0 between runs; guarded by overdue_mutex
    bool overdue = false;           // guarded by overdue_mutex
    std::vector<Request*> watched;  // guarded by overdue_mutex

    std::thread thread;
  };

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
  // Runs that go on at once.
  Nanos Devices() const noexcept {
    return Nanos{options_.devices == 0 ? options_.workers : options_.devices};
  }
  Nanos NextFree(Nanos now) const noexcept;
  Code Admit(Request& request, Nanos now) noexcept;
  Nanos ExpectedEnd(const Request& request, Nanos now) const noexcept;
  Nanos WorkOf(const Request& request) noexcept;
  void MeasureFull(size_t bucket) noexcept;
  // Expected time of a run with that many rows of requests.
  Nanos CostOf(size_t bucket, int64_t rows) const noexcept {
    return cost_[bucket].Mean(plan_.RunRows(rows));
  }

  void Watch();
  Nanos GiveUpOverdue(Worker& worker, Nanos now);

  Executor& executor_;
  const Clock& clock_;
  const BatcherOptions options_;
  const ShapePlan& plan_;
  // One for each bucket of the plan.
  const std::unique_ptr<CostModel[]> cost_;
  // The batch that workers form of a bucket while more than that waits: too long to work out for each
  // request. A cost of 0: not known yet.
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

  // Submitters and workers.
  Intake<Request> intake_;
  Quota quota_;
  std::atomic<uint64_t> submitted_{0};
  std::atomic<uint64_t> rejected_{0};
  Backlog backlog_;
  // Requests refused for what costs say while nothing was going on.
  std::atomic<uint32_t> doubts_{0};

  // Workers.
  alignas(kCacheLine) std::mutex forming_;
  Pending pending_;             // guarded by forming_
  ArrivalModel arrivals_;       // guarded by forming_
  uint64_t next_sequence_ = 0;  // guarded by forming_
  std::atomic<double> returning_{0};
  std::atomic<double> arrival_rate_{0};  // a nanosecond
  std::atomic<uint64_t> held_{0};
  std::atomic<uint64_t> inline_runs_{0};
  // Small batches in a row, up to a limit; from there on requests may run inline.
  std::atomic<uint32_t> small_batches_{kSmallBatchesForInline};
  // Relaxed: a batch formed meanwhile finds out by itself.
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
  // What the clock's zero was in time since the Unix epoch.
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
