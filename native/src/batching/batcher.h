// The dynamic batcher of one model.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "batching/batch.h"
#include "batching/inbox.h"
#include "batching/parker.h"
#include "batching/pending.h"
#include "batching/policy.h"
#include "batching/stats.h"

namespace millrace {

struct BatcherOptions {
  BatchPolicy policy;
  // Dimension 0 of every input and output counts rows, so requests may share a run.
  bool batched = false;
  // Most requests waiting; Submit refuses one more.
  uint32_t max_queue = 1024;
  // Threads that form and run batches, at least 1.
  uint32_t lanes = 1;
  // How long a lane that has just run looks for more work before it sleeps. Costs that much CPU per
  // idle period and saves a wake-up of several microseconds; 0 on machines with few cores.
  Nanos spin = 0;
};

// GROUPS requests of one model into runs of its executor.
//
// HOW IT WORKS
//   1. Submit pushes the request to the inbox and wakes a lane if one sleeps.
//   2. A lane that is free takes the forming mutex, empties the inbox into the queue, asks the
//      policy, and takes a batch. Nothing is decided before a lane is free (late binding), so
//      urgency, deadlines and cancellation count until the last moment, and batches grow just as
//      much as the lanes are busy.
//   3. It runs the batch, and hands every request of it to its sink.
//
// LATENCY CONTRACT Submit is lock-free: it never waits for a lane, and no lane holds anything it
// needs. Batches are formed by one lane at a time, and only lanes wait for each other there. An idle
// lane runs a request at once unless the policy says otherwise.
//
// EXACTLY ONCE Every request for which Submit returned kOk reaches its sink exactly once, whatever
// becomes of it.
//
// Thread-safe, except that the destructor must be the last call.
class Batcher {
 public:
  Batcher(Executor& executor, const Clock& clock, const BatcherOptions& options);
  // As Close.
  ~Batcher();

  // Hands `request` over iff the result is kOk; until it reaches its sink nobody else may touch it
  // but for `cancelled` and `borrow`. kUnavailable: the queue is full; try again later.
  // kFailedPrecondition: closed. A code and no sentence, because a refusal must cost nothing.
  Code Submit(Request* request) noexcept;

  // Refuses new requests, finishes those accepted, ends the lanes. Blocks; idempotent.
  void Close();

  BatcherStats Stats() const;
  const BatcherOptions& options() const noexcept { return options_; }

  // -------------------------------------------------------------------------------------------
  // Implementation details follow.
 private:
  struct Worker {
    Parker<> parker;
    std::unique_ptr<RunHandle> handle;
    Staging staging;
    std::vector<Request*> batch;
    std::vector<Request*> dropped;
    std::thread thread;
  };

  void Loop(Worker& worker);
  Decision Form(Worker& worker);
  void Wait(Worker& worker, const Decision& decision);
  void Run(Worker& worker);
  void Drop(Worker& worker);
  void Count(const Request& request) noexcept;
  void WakeOne() noexcept;
  bool Drained() const noexcept;

  Executor& executor_;
  const Clock& clock_;
  const BatcherOptions options_;

  // Submitters and lanes.
  Inbox<Request> inbox_;
  alignas(kCacheLine) std::atomic<uint32_t> queued_{0};
  std::atomic<uint64_t> submitted_{0};
  std::atomic<uint64_t> rejected_{0};
  std::atomic<bool> closed_{false};

  // Lanes.
  alignas(kCacheLine) std::mutex forming_;
  Pending pending_;             // guarded by forming_
  uint64_t next_sequence_ = 0;  // guarded by forming_
  std::atomic<uint32_t> running_{0};
  std::atomic<uint64_t> completed_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> cancelled_{0};
  std::atomic<uint64_t> expired_{0};
  std::atomic<uint64_t> batches_{0};
  std::atomic<uint64_t> rows_{0};
  Histogram queue_time_;
  Histogram compute_time_;

  std::mutex closing_;  // held while Close joins
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace millrace
