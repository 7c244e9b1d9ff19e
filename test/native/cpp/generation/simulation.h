// A generator in simulated time: the product's own code from Submit to the outcome, with a fake decoder whose runs take
// as long as a scenario says. What a scenario lets happen during a run happens within it.
#pragma once

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "generation/generations.h"
#include "generation/generator.h"

namespace millrace::test {

// One request, and what becomes of it outside the generator.
struct GenerationArrival {
  Nanos at = 0;
  size_t prompt = 4;
  int64_t new_tokens = 10;
  int32_t beams = 1;
  uint8_t priority = 0;
  Nanos allowed = kNever;       // from submission to deadline
  Nanos cancel_after = kNever;  // from `at`
  bool stream = false;
  bool sample = false;
  // Whether it may end before new_tokens, and whether its tokens follow rules that depend on those before.
  bool ends = false;
  bool rules = false;
};

struct GenerationScenario {
  uint64_t seed = 0;
  DecoderFacts facts;
  GeneratorOptions options;
  Nanos fixed = 1'000'000;     // of a run
  Nanos per_token = 50'000;    // of each token of each row
  Nanos close_at = kNever;     // otherwise after the last outcome
  std::set<size_t> failing;    // the numbers of runs that fail
  std::vector<GenerationArrival> arrivals;

  Nanos CostOf(size_t rows, int64_t tokens) const noexcept {
    return fixed + per_token * static_cast<Nanos>(rows) * tokens;
  }
};

// What was seen of one request. Numbers called `…_step` count everything that happens, and so order what happens at the
// same time; 0 is never.
struct SeenGeneration {
  Code submit = Code::kUnavailable;
  Nanos submitted = 0;
  size_t submit_step = 0;
  size_t cancel_step = 0;
  Nanos deadline = kNever;
  size_t finishes = 0;
  size_t finish_step = 0;
  Nanos finished = 0;
  Code code = Code::kInternal;
  Outcome outcome;
  std::vector<int32_t> shown;
  // The numbers of the runs in which it took part.
  std::vector<size_t> runs;

  bool accepted() const noexcept { return submit == Code::kOk; }
  bool completed() const noexcept { return accepted() && code == Code::kOk; }
};

struct SeenRun {
  size_t step = 0;
  Nanos began = 0;
  Nanos ended = 0;
  bool encoder = false;
  bool failed = false;
  int64_t tokens = 0;
  // The requests of its rows, one for each row, and the tokens that each row had before.
  std::vector<size_t> ids;
  std::vector<int64_t> lengths;

  bool Has(size_t id) const { return std::ranges::count(ids, id) > 0; }
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

struct GenerationTrace {
  std::vector<SeenGeneration> seen;  // by number of the arrival
  std::vector<SeenRun> runs;
  std::vector<std::string> faults;
  GeneratorStats stats;
  int64_t peak = 0;           // bytes that the decoder had at most
  int64_t left = 0;           // bytes that it has at the end
  bool balanced = true;       // the counters added up whenever somebody looked
  bool ended = false;
  size_t flushes_missing = 0;
};

inline void FillRequest(GenerationRequest& request, const GenerationArrival& arrival, size_t id) {
  for (size_t i = 0; i < arrival.prompt; ++i) {
    request.prompt.push_back(static_cast<int32_t>((id * 7 + i * 3) % 30));
  }
  // By which its rows are recognised.
  request.prompt.front() = static_cast<int32_t>(id);
  request.stream = arrival.stream;
  request.priority = arrival.priority;
  GenerationOptions& options = request.options;
  options.max_new_tokens = arrival.new_tokens;
  options.decoder_start_token_id = 0;
  options.num_beams = arrival.beams;
  options.do_sample = arrival.sample;
  options.temperature = 4;
  options.top_k = 8;
  options.seed = id;
  if (arrival.ends) options.eos_token_ids = {1, 7};
  if (!arrival.rules) return;
  options.repetition_penalty = 1.3;
  options.no_repeat_ngram_size = 2;
  options.min_new_tokens = arrival.new_tokens / 2;
}

class GenerationSimulation final : public GenerationSink, public Clock {
 public:
  static GenerationTrace Of(const GenerationScenario& scenario) {
    return std::make_shared<GenerationSimulation>(scenario)->Simulate();
  }

  explicit GenerationSimulation(const GenerationScenario& scenario)
      : scenario_(scenario), decoder_(scenario.facts) {}

  // ── What the generator sees ──────────────────────────────────────────────────────────────────

  Nanos Now() const noexcept override { return now_; }

  void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept override {
    auto& shown = trace_.seen[request.slot].shown;
    shown.insert(shown.end(), tokens.begin(), tokens.end());
    unflushed_ = true;
  }

  void Finish(GenerationRequest* request) noexcept override {
    SeenGeneration& seen = trace_.seen[request->slot];
    ++seen.finishes;
    seen.finish_step = ++step_;
    seen.finished = request->finished;
    seen.code = request->status.code();
    seen.outcome = OutcomeOf(*request);
    unflushed_ = true;
  }

  void FailEarly(uint32_t, uint64_t, const Status&) override {}
  void Flush() noexcept override { unflushed_ = false; }

 private:
  // Far more than any scenario takes.
  static constexpr size_t kMostRuns = 100'000;

  struct Event {
    enum class Kind : uint8_t { kSubmit, kCancel, kClose };
    Nanos at;
    Kind kind;
    size_t id;
  };

  GenerationTrace Simulate() {
    trace_.seen.resize(scenario_.arrivals.size());
    Plan();
    decoder_.on_run = [this](const FakeRun& run, FakeHandle&) { return Run(run); };
    GeneratorOptions options = scenario_.options;
    options.threads = false;
    Generator generator(decoder_, *this, options);
    generator_ = &generator;
    while (trace_.runs.size() < kMostRuns) {
      if (generator.Turn()) {
        Check();
        continue;
      }
      if (next_event_ == events_.size()) break;
      Happen(events_[next_event_].at);
    }
    generator.Close();
    trace_.ended = trace_.runs.size() < kMostRuns;
    trace_.stats = generator.Stats();
    trace_.faults = decoder_.faults;
    trace_.peak = decoder_.meter.peak();
    trace_.left = decoder_.meter.bytes();
    return std::move(trace_);
  }

  void Plan() {
    for (size_t id = 0; id < scenario_.arrivals.size(); ++id) {
      const GenerationArrival& arrival = scenario_.arrivals[id];
      events_.push_back({arrival.at, Event::Kind::kSubmit, id});
      if (arrival.cancel_after != kNever) {
        events_.push_back({arrival.at + arrival.cancel_after, Event::Kind::kCancel, id});
      }
      GenerationRequest& request = requests_.emplace_back();
      request.sink = this;
      request.slot = static_cast<uint32_t>(id);
      FillRequest(request, arrival, id);
    }
    if (scenario_.close_at != kNever) events_.push_back({scenario_.close_at, Event::Kind::kClose, 0});
    std::ranges::stable_sort(events_, {}, &Event::at);
  }

  // Lets happen what is to happen until then.
  void Happen(Nanos until) {
    while (next_event_ < events_.size() && events_[next_event_].at <= until) {
      const Event event = events_[next_event_++];
      now_ = std::max(now_, event.at);
      if (event.kind == Event::Kind::kSubmit) Submit(event.id);
      if (event.kind == Event::Kind::kCancel) Cancel(event.id);
      if (event.kind == Event::Kind::kClose) generator_->Close();
    }
    now_ = std::max(now_, until);
  }

  void Submit(size_t id) {
    const GenerationArrival& arrival = scenario_.arrivals[id];
    GenerationRequest& request = requests_[id];
    SeenGeneration& seen = trace_.seen[id];
    if (arrival.allowed != kNever) request.deadline = now_ + arrival.allowed;
    seen.deadline = request.deadline;
    seen.submitted = now_;
    seen.submit_step = ++step_;
    seen.submit = generator_->Submit(&request).code();
  }

  void Cancel(size_t id) {
    SeenGeneration& seen = trace_.seen[id];
    if (!seen.accepted() || seen.finishes > 0) return;
    seen.cancel_step = ++step_;
    requests_[id].cancelled.store(true, std::memory_order_relaxed);
  }

  Status Run(const FakeRun& run) {
    const size_t number = trace_.runs.size();
    SeenRun seen;
    seen.step = ++step_;
    seen.began = now_;
    seen.encoder = run.encoder;
    seen.tokens = run.tokens;
    for (const auto& text : run.Texts()) seen.ids.push_back(static_cast<size_t>(text.front()));
    for (const auto& row : run.rows) seen.lengths.push_back(static_cast<int64_t>(row.size()) - run.tokens);
    for (const size_t id : std::set(seen.ids.begin(), seen.ids.end())) {
      trace_.seen[id].runs.push_back(number);
    }
    Happen(now_ + scenario_.CostOf(run.rows.size(), run.tokens));
    seen.ended = now_;
    seen.failed = scenario_.failing.contains(number);
    trace_.runs.push_back(seen);
    return seen.failed ? Status(Code::kInternal, "A kernel failed") : Status();
  }

  void Check() {
    const GeneratorStats stats = generator_->Stats();
    const uint64_t done = stats.completed + stats.failed + stats.cancelled + stats.expired;
    if (stats.submitted != done + stats.queued + stats.running) trace_.balanced = false;
    if (stats.cache_bytes > stats.cache_bytes_limit) trace_.balanced = false;
    if (unflushed_) ++trace_.flushes_missing;
  }

  const GenerationScenario& scenario_;
  FakeDecoder decoder_;
  std::deque<GenerationRequest> requests_;
  GenerationTrace trace_;
  Generator* generator_ = nullptr;
  Nanos now_ = 1'000'000;
  size_t step_ = 0;
  size_t next_event_ = 0;
  std::vector<Event> events_;
  bool unflushed_ = false;
};

// What a request of a scenario becomes alone.
inline Outcome AloneIn(const GenerationScenario& scenario, size_t id) {
  GenerationRequest request;
  FillRequest(request, scenario.arrivals[id], id);
  FakeDecoder decoder(scenario.facts);
  return Alone(request, decoder);
}

}  // namespace millrace::test
