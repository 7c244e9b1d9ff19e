// The generator of one generative model: iteration-level batching of generations.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "batching/clock.h"
#include "batching/intake.h"
#include "batching/parker.h"
#include "batching/share.h"
#include "generation/decoder.h"
#include "generation/delivery.h"
#include "generation/ledger.h"
#include "generation/policy.h"
#include "generation/request.h"
#include "generation/sequence.h"
#include "generation/stats.h"
#include "generation/step_watch.h"

namespace millrace {

struct GeneratorOptions {
  // The most rows in a step, at least 1. A request has one row, or `num_beams` with beam search.
  uint32_t max_rows = 32;
  // The most prompt tokens in a step. A text of the encoder, and a prompt of a decoder without chunks, may have more,
  // and then has a step of its own.
  int64_t max_prefill_tokens = 512;
  // The most memory for keys, values and encoder states of all requests together. A request waits until the most that
  // it can need is free.
  int64_t cache_bytes = int64_t{1} << 30;
  // The most waiting requests; Submit refuses one more.
  uint32_t max_queue = 1024;
  // A run that takes longer is terminated, and its requests fail at once. 0 means no limit.
  Nanos run_limit = 0;
  // A request may be overtaken by a more urgent one that was submitted up to this much later for each level between
  // them.
  Nanos aging = 1'000'000'000;
  // Divides the device's time between models by weight. May be null; must outlive the generator.
  DeviceShare* share = nullptr;
  double weight = 1;
  // If false, there are no threads: the caller of Turn and Patrol does the work of the generator's thread and of the
  // watchdog, at the times of its own clock.
  bool threads = true;
};

// Continues the sequences of many requests with one model.
//
// HOW IT WORKS
//   1. Submit pushes the request to the intake and wakes the generator's thread if it sleeps.
//   2. Between two runs, the thread moves the requests from the intake to its queue, drops those that are cancelled or
//      late, starts waiting ones for which there are rows and memory, and asks the policy (policy.h) which rows the next
//      run has.
//   3. It makes the run, chooses the next token of each row that has seen its whole prompt, and passes new tokens and
//      finished requests to their sinks. Requests join and leave between any two runs.
//
// DETERMINISM The tokens of a request depend on its prompt, its options and the model, and not on what shares its runs,
// provided that the logits of a row do not. A run on another number of rows may round differently in the last bit.
//
// EXACTLY ONCE Every request for which Submit returned OK reaches its sink's Finish exactly once, whatever its outcome.
//
// Thread-safe, except that the destructor must be the last call.
class Generator {
 public:
  // `decoder` and `clock` must outlive the generator.
  Generator(Decoder& decoder, const Clock& clock, const GeneratorOptions& options);
  // Calls Close.
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Submits a request. If the result is OK it belongs to the generator until it reaches its sink, and other threads may
  // use only its `cancelled`. Otherwise nothing has changed but its outcome, and the result is, with a sentence,
  //   kInvalidArgument      if the request can never run: an option is wrong, the prompt is empty or has ids outside the
  //                         vocabulary, or the sequence would be longer than the model's positions or than the memory
  //                         for caches
  //   kUnavailable          if the queue is full; try again after ExpectedWait
  //   kResourceExhausted    if memory runs out
  //   kFailedPrecondition   if the generator is closed
  // Lock-free, except for the allocation of the tokens' memory.
  Status Submit(GenerationRequest* request) noexcept;

  // Submits without waking the thread, for callers that submit several requests at a time.
  Status Enqueue(GenerationRequest* request) noexcept;
  // Wakes the thread if it sleeps. Lock-free.
  void Wake() noexcept;

  // Returns how long a request that is submitted now would wait before it starts, estimated from the rate at which
  // requests finish.
  Nanos ExpectedWait() const noexcept;

  // Refuses new requests, completes the accepted ones, and ends the thread. Blocks until then. Idempotent.
  void Close();

  GeneratorStats Stats() const;
  const DecoderFacts& facts() const noexcept { return decoder_.facts(); }
  const GeneratorOptions& options() const noexcept { return options_; }

  // For a generator without threads: does what the thread does between two looks at the intake, which is to make one
  // run at most. Returns false if there is nothing to do until a request is submitted.
  bool Turn() noexcept;
  // For a generator without threads: terminates a run that has passed the limit. Returns how long the watchdog would
  // sleep, or kNever if no run is in progress.
  Nanos Patrol() noexcept { return watch_.Patrol(clock_.Now()); }

 private:
  struct Waiting {
    // Requests start in the order of this time, and then of their submission.
    Nanos due;
    GenerationRequest* request;
  };
  struct Running {
    std::unique_ptr<Sequence> sequence;
    // The number of runs before the last one in which it took part, or before it started.
    uint64_t last_run;
    // Whether its request has its outcome.
    bool over = false;
  };

  Status Check(const GenerationRequest& request) const;
  void Work();
  void Watch();

  // The parts of Turn, in generator_turn.cc.
  void AskForTurn();
  void EndTurn();
  void TakeArrived() noexcept;
  void DropOver(Nanos now) noexcept;
  void StartWaiting(Nanos now) noexcept;
  void Begin(const Waiting& waiting);
  bool Choose() noexcept;
  void RunStep() noexcept;
  Status RunEncoder();
  Status RunDecoder();
  void Account(Nanos began, Nanos ended) noexcept;
  void TakeRows(Nanos now) noexcept;
  Status TakeTokens(Running& running, std::span<DecoderRow> rows, std::span<const float> logits,
                    Nanos now) noexcept;
  void End(GenerationRequest& request, Status status, Nanos now) noexcept;
  void Count(const GenerationRequest& request) noexcept;
  void RemoveEnded() noexcept;
  void ShowLedger() noexcept;
  void Deliver() noexcept;

  Decoder& decoder_;
  const Clock& clock_;
  const GeneratorOptions options_;
  const std::unique_ptr<RunHandle> handle_;
  DeviceShare::Member member_;

  // Used by submitters and the generator's thread.
  Intake<GenerationRequest> intake_;
  Parker<> parker_;
  std::atomic<uint64_t> submitted_{0};
  std::atomic<uint64_t> rejected_{0};

  // Used by the generator's thread only.
  alignas(kCacheLine) std::vector<Waiting> waiting_;
  // In the order in which they started.
  std::vector<Running> running_;
  Ledger ledger_;
  StepHistory history_;
  std::vector<Candidate> candidates_;
  Step step_;
  std::vector<GenerationRequest*> in_step_;
  std::vector<DecoderRow> rows_;
  std::span<const float> logits_;
  std::vector<std::span<const int32_t>> texts_;
  std::vector<EncodedRow> encoded_;
  SearchMemory memory_;
  // The requests that have their outcome and have not been given back.
  std::vector<GenerationRequest*> ended_;
  Delivery delivery_;
  SplitMix64 seeds_;
  // Whether the thread has a turn of the device, and how much of it has been used.
  bool has_turn_ = false;
  Nanos used_ = 0;

  // Written by the generator's thread, read by all.
  std::atomic<uint64_t> running_count_{0};
  std::atomic<uint64_t> completed_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> cancelled_{0};
  std::atomic<uint64_t> expired_{0};
  std::atomic<uint64_t> steps_{0};
  std::atomic<uint64_t> encoder_runs_{0};
  std::atomic<uint64_t> row_count_{0};
  std::atomic<uint64_t> tokens_{0};
  std::atomic<uint64_t> prompt_tokens_{0};
  std::atomic<int64_t> cache_bytes_{0};
  std::atomic<int64_t> cache_bytes_peak_{0};
  // The sum and a running mean of the times of completed requests from their start to their end.
  std::atomic<Nanos> completed_time_{0};
  std::atomic<Nanos> usual_{0};
  Tally tally_;
  // The time since the Unix epoch at zero of the clock.
  const Nanos epoch_;
  Histogram queue_time_;
  Histogram compute_time_;

  StepWatch watch_;
  std::mutex closing_;  // held while Close joins
  std::thread thread_;
  std::mutex watching_;
  std::condition_variable watch_ended_;
  bool watch_over_ = false;  // guarded by watching_
  std::thread watchdog_;
};

}  // namespace millrace
