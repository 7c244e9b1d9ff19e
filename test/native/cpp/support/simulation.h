// A batcher in simulated time: the product's own code from Submit to the response, with fibers for its
// workers, its watchdog and whoever uses it, and a model whose runs take as long as a scenario says.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "batching/batcher.h"
#include "support/executors.h"
#include "support/fiber.h"

namespace millrace::test {

// One request, and what becomes of it outside the batcher.
struct Arrival {
  Nanos at = 0;  // not before
  // Of a client that waits for a response first: so many arrivals before this one, and `think` later.
  size_t back = 0;
  Nanos think = 0;
  int64_t rows = 1;
  int64_t width = 1;  // of a row: requests of different widths cannot share a run
  uint8_t priority = 0;
  Nanos allowed = kNever;       // from submit to deadline
  Nanos cancel_after = kNever;  // from `at`
  bool poison = false;          // a run that holds it fails
  Nanos slow = 0;               // what it adds to a run
};

struct Scenario {
  uint64_t seed = 0;  // draws which of two things at the same time comes first
  BatcherOptions options;
  Nanos fixed = 1'000'000;  // of a run
  Nanos per_row = 100'000;
  bool known = true;     // the cost model knows what runs cost
  bool inline_ = false;  // requests are run by their own thread where the batcher allows it
  Nanos close_at = kNever;  // otherwise after the last response
  std::vector<Arrival> arrivals;

  Nanos CostOf(int64_t rows) const noexcept { return fixed + per_row * rows; }
};

// What was seen of one request. Numbers called `…_step` count everything that happens, and so order
// what happens at the same time; 0 is never.
struct Seen {
  Code submit = Code::kOk;
  bool inlined = false;
  Nanos submitted = 0;
  size_t submit_step = 0;
  size_t waiting = 0;  // requests that waited when it came
  size_t busy = 0;     // workers that ran something when it came
  size_t cancel_step = 0;
  size_t left_step = 0;  // of the turn that took or dropped it
  size_t responses = 0;
  size_t early = 0;
  Nanos early_at = 0;
  Nanos delivered = 0;
  Code code = Code::kInternal;
  bool own_rows = false;
  Nanos started = 0;
  Nanos finished = 0;
  int64_t first_row = 0;
  int64_t batch_rows = 0;
  uint32_t batch_requests = 0;

  bool accepted() const noexcept { return submit == Code::kOk; }
};

// One call of the executor.
struct Attempt {
  size_t turn_step = 0;  // 0: inline
  size_t worker = 0;
  Nanos began = 0;
  Nanos ended = 0;
  int64_t rows = 0;
  bool ok = false;
  std::vector<size_t> ids;
};

// One decision of a worker.
struct Turn {
  size_t step = 0;
  size_t worker = 0;
  Nanos at = 0;
  bool closed = false;
  Decision decision;
};

struct Trace {
  std::vector<Seen> seen;  // by number of the arrival
  std::vector<Attempt> attempts;
  std::vector<Turn> turns;
  BatcherStats stats;
  Nanos closed = 0;
  size_t closed_step = 0;
  bool ended = false;     // everybody has come to the end
  bool balanced = true;   // the counters added up whenever somebody looked
  uint64_t digest = 0;
};

class Simulation final : public CompletionSink, public Clock, public Executor {
 public:
  static Trace Of(const Scenario& scenario) {
    const auto simulation = std::make_shared<Simulation>(scenario);
    return simulation->Simulate();
  }

  explicit Simulation(const Scenario& scenario)
      : scenario_(scenario), random_(scenario.seed), requests_(scenario.arrivals.size()) {}

  // ── What the batcher sees ────────────────────────────────────────────────────────────────────

  Nanos Now() const noexcept override { return now_; }

  void Finish(Request* newest, Request* oldest) noexcept override {
    for (Request* request = newest;; request = request->next) {
      Deliver(*request);
      if (request == oldest) break;
    }
    Check();
  }

  void FailEarly(uint32_t slot, uint64_t, const Status&) override {
    ++trace_.seen[slot].early;
    trace_.seen[slot].early_at = now_;
  }

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle& handle,
             OutputRef& outputs) override {
    const size_t index = Begin(inputs[0]);
    Attempt run = trace_.attempts[index];
    Nanos cost = scenario_.CostOf(run.rows);
    bool poisoned = false;
    for (const size_t id : run.ids) {
      cost += scenario_.arrivals[id].slow;
      poisoned = poisoned || scenario_.arrivals[id].poison;
    }
    ++busy_;
    Sleep(now_ + cost);
    --busy_;
    trace_.attempts[index].ended = now_;
    if (static_cast<FakeHandle&>(handle).terminated.exchange(false)) {
      return {Code::kDeadlineExceeded, "Cut short"};
    }
    if (poisoned) return {Code::kInvalidArgument, "Poison"};
    trace_.attempts[index].ok = true;
    auto block = std::make_shared<OwnedOutputs>();
    const auto values = ValuesOf<float>(inputs[0]);
    block->Add(ElementType::kFloat32, inputs[0].shape, values);
    outputs = std::move(block);
    return {};
  }

 private:
  static constexpr size_t kRowsMost = 64;
  // Far more than any scenario takes: beyond, somebody looks again and again and never finds anything.
  static constexpr size_t kMostSteps = 100'000;

  struct Actor {
    explicit Actor(std::function<void()> body) : fiber(std::move(body)) {}
    Fiber fiber;
    Nanos wakes = 0;
    bool listens = false;
    // Of a worker: which it is, and its present turn.
    size_t worker = 0;
    size_t turn_step = 0;
  };

  Trace Simulate() {
    trace_.seen.resize(requests_.size());
    BatcherOptions options = scenario_.options;
    options.threads = false;
    Batcher batcher(*this, *this, options);
    batcher_ = &batcher;
    if (scenario_.known) SeedCosts(batcher.cost());
    Act([this] { Submit(); });
    Act([this] { CancelAndClose(); });
    for (size_t worker = 0; worker < options.workers; ++worker) Act([this, worker] { Work(worker); });
    if (options.run_limit > 0) Act([this] { Watch(); });
    while (step_ < kMostSteps && Next()) {
    }
    trace_.ended = std::ranges::all_of(actors_, [](const auto& actor) { return actor->fiber.ended(); });
    trace_.stats = batcher.Stats();
    return std::move(trace_);
  }

  void SeedCosts(CostModel& cost) const {
    for (int64_t rows = 1; rows <= 64; rows *= 2) {
      const auto time = static_cast<double>(scenario_.CostOf(rows));
      cost.Seed({static_cast<double>(rows), time, time, 1});
    }
  }

  // ── Time ─────────────────────────────────────────────────────────────────────────────────────

  void Act(std::function<void()> body) {
    actors_.push_back(std::make_unique<Actor>(std::move(body)));
    actors_.back()->wakes = now_;
  }

  // Whoever is next goes on, one of them if it is several. False if nobody ever will.
  bool Next() {
    Nanos first = kNever;
    for (const auto& actor : actors_) {
      if (!actor->fiber.ended()) first = std::min(first, actor->wakes);
    }
    if (first == kNever) return false;
    now_ = std::max(now_, first);
    ready_.clear();
    for (const auto& actor : actors_) {
      if (!actor->fiber.ended() && actor->wakes <= now_) ready_.push_back(actor.get());
    }
    acting_ = ready_.size() == 1 ? ready_[0] : ready_[random_() % ready_.size()];
    acting_->listens = false;
    acting_->fiber.Resume();
    return true;
  }

  void Sleep(Nanos until) {
    acting_->wakes = until;
    acting_->fiber.Stop();
  }

  // Until then, or until something happens.
  void Listen(Nanos until) {
    acting_->listens = true;
    Sleep(until);
  }

  void Announce() {
    for (const auto& actor : actors_) {
      if (actor->listens) actor->wakes = now_;
    }
  }

  size_t Step(size_t kind) {
    trace_.digest = (trace_.digest ^ (static_cast<uint64_t>(now_) * 8 + kind)) * 0x100000001b3;
    return ++step_;
  }

  // ── Those who use the batcher, and its threads ───────────────────────────────────────────────

  void Submit() {
    const std::unique_ptr<RunHandle> handle = NewHandle();
    Staging staging;
    for (size_t id = 0; id < requests_.size(); ++id) {
      const Arrival& arrival = scenario_.arrivals[id];
      if (arrival.back > 0 && arrival.back <= id) {
        const Seen& before = trace_.seen[id - arrival.back];
        while (before.accepted() && before.delivered == 0) Listen(kNever);
        if (before.delivered + arrival.think > now_) Sleep(before.delivered + arrival.think);
      }
      if (arrival.at > now_) Sleep(arrival.at);
      Request& request = Make(id);
      Seen& seen = trace_.seen[id];
      seen.submitted = now_;
      seen.submit_step = Step(1);
      seen.waiting = waiting_;
      seen.busy = busy_;
      if (scenario_.inline_ && batcher_->RunInline(&request, *handle, staging)) {
        seen.inlined = true;
        Note(request);
        continue;
      }
      seen.submit = batcher_->Submit(&request);
      if (seen.accepted()) ++waiting_;
      Check();
      Announce();
    }
    submitted_all_ = true;
    Announce();
  }

  Request& Make(size_t id) {
    const Arrival& arrival = scenario_.arrivals[id];
    Request& request = requests_[id];
    request.sink = this;
    request.slot = static_cast<uint32_t>(id);
    std::vector<float> values;
    for (int64_t i = 0; i < arrival.rows * arrival.width; ++i) {
      values.push_back(static_cast<float>(id * kRowsMost + static_cast<size_t>(i / arrival.width)));
    }
    SetInput(request, 0, ElementType::kFloat32, MakeShape({arrival.rows, arrival.width}), values);
    request.rows = arrival.rows;
    request.priority = arrival.priority;
    request.deadline = arrival.allowed == kNever ? kNever : now_ + arrival.allowed;
    return request;
  }

  void CancelAndClose() {
    std::vector<std::pair<Nanos, size_t>> cancels;
    for (size_t id = 0; id < requests_.size(); ++id) {
      const Arrival& arrival = scenario_.arrivals[id];
      if (arrival.cancel_after == kNever) continue;
      cancels.emplace_back(arrival.at + arrival.cancel_after, id);
    }
    std::ranges::sort(cancels);
    bool closed = false;
    for (const auto& [at, id] : cancels) {
      if (!closed && scenario_.close_at <= at) {
        CloseAt(scenario_.close_at);
        closed = true;
      }
      if (at > now_) Sleep(at);
      // A request that has not been submitted, or has been delivered, cannot be cancelled.
      if (trace_.seen[id].submit_step == 0 || trace_.seen[id].delivered != 0) continue;
      trace_.seen[id].cancel_step = Step(2);
      requests_[id].cancelled.store(true, std::memory_order_relaxed);
      Announce();
    }
    if (closed) return;
    if (scenario_.close_at != kNever) return CloseAt(scenario_.close_at);
    while (!submitted_all_ || waiting_ > 0) Listen(kNever);
    CloseAt(now_);
  }

  void CloseAt(Nanos at) {
    if (at > now_) Sleep(at);
    batcher_->Close();
    trace_.closed = now_;
    trace_.closed_step = Step(3);
    Announce();
  }

  void Work(size_t worker) {
    for (;;) {
      const size_t step = Step(4);
      acting_->worker = worker;
      acting_->turn_step = step;
      const size_t index = trace_.turns.size();
      trace_.turns.push_back({step, worker, now_, trace_.closed_step != 0, {}});
      const Decision decision = batcher_->Turn(worker);
      trace_.turns[index].decision = decision;
      if (decision.action == Decision::Action::kRun) continue;
      // Nothing comes after the close, and nothing waits.
      if (trace_.closed_step != 0 && waiting_ == 0) return Announce();
      Listen(decision.until);
    }
  }

  void Watch() {
    while (trace_.closed_step == 0 || waiting_ + busy_ > 0) {
      const Nanos sleep = std::min(scenario_.options.run_limit / 2, batcher_->Patrol());
      Sleep(now_ + std::max<Nanos>(sleep, 1000));
    }
  }

  // ── What is written down ─────────────────────────────────────────────────────────────────────

  // A run has begun: of whom, and by which turn.
  size_t Begin(const TensorView& input) {
    Attempt run;
    run.began = now_;
    run.rows = input.shape.dims[0];
    run.worker = acting_->worker;
    run.turn_step = acting_->turn_step;
    const auto values = ValuesOf<float>(input);
    for (size_t i = 0; i < values.size(); i += static_cast<size_t>(input.shape.dims[1])) {
      const size_t id = static_cast<size_t>(values[i]) / kRowsMost;
      if (run.ids.empty() || run.ids.back() != id) run.ids.push_back(id);
    }
    for (const size_t id : run.ids) {
      if (run.turn_step != 0) Left(id, run.turn_step);
    }
    trace_.attempts.push_back(std::move(run));
    return trace_.attempts.size() - 1;
  }

  void Left(size_t id, size_t step) {
    Seen& seen = trace_.seen[id];
    if (seen.left_step != 0) return;
    seen.left_step = step;
    --waiting_;
  }

  void Deliver(const Request& request) {
    Seen& seen = trace_.seen[request.slot];
    Left(request.slot, acting_->turn_step);
    ++seen.responses;
    Note(request);
    Announce();
  }

  void Note(const Request& request) {
    Seen& seen = trace_.seen[request.slot];
    const Arrival& arrival = scenario_.arrivals[request.slot];
    seen.delivered = now_;
    seen.code = request.status.code();
    seen.started = request.started;
    seen.finished = request.finished;
    if (!request.status.ok()) return;
    seen.first_row = request.first_row;
    seen.batch_rows = request.batch_rows;
    seen.batch_requests = request.batch_requests;
    const auto values = OutputOf(request, 0, static_cast<size_t>(arrival.width));
    seen.own_rows = ValuesOf<float>(request.inputs[0].view) == values;
  }

  void Check() {
    const BatcherStats stats = batcher_->Stats();
    const uint64_t done = stats.completed + stats.failed + stats.cancelled + stats.expired;
    if (stats.submitted != done + stats.queued + stats.running) trace_.balanced = false;
  }

  const Scenario& scenario_;
  std::mt19937_64 random_;
  std::deque<Request> requests_;
  Trace trace_;
  Batcher* batcher_ = nullptr;
  Nanos now_ = 1'000'000;
  size_t step_ = 0;
  size_t waiting_ = 0;
  size_t busy_ = 0;
  bool submitted_all_ = false;
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<Actor*> ready_;
  Actor* acting_ = nullptr;
};

}  // namespace millrace::test
