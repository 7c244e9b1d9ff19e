// The policy in simulated time: the product's own ChooseStep, driven by a discrete-event model of clients and one
// decoder, and beside it other ways to choose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "batching/clock.h"
#include "generation/policy.h"

namespace millrace {
namespace {

using Need = Candidate::Need;
using Kind = Step::Kind;
using Chooser = std::function<void(std::span<const Candidate>, const StepHistory&, const StepLimits&, Step&)>;

constexpr size_t kMaxRows = 32;

// A run takes 1.0 + 0.1 ms for each row, as one of a small model on two cores; a prompt or a text 0.02 ms for each token.
constexpr Nanos CostOf(const Step& step, size_t rows) {
  const auto count = static_cast<Nanos>(rows);
  if (step.kind == Kind::kToken) return 1'000'000 + 100'000 * count;
  return 1'000'000 + 20'000 * step.tokens * count;
}

struct Load {
  bool mixed_lengths = true;
  bool encoder = false;
  // Closed loop: so many clients, each sends its next request as soon as it has a result.
  int clients = 0;
  // Open loop: Poisson arrivals a second.
  double rate = 0;
  int64_t least_tokens = 20;
  int64_t most_tokens = 200;
  int64_t least_prompt = 20;
  int64_t most_prompt = 100;
  int requests = 1500;
};

struct Result {
  double throughput = 0;  // tokens a second
  double rows = 0;        // in a run of tokens
  double mean = 0;        // latency, milliseconds
  double p99 = 0;
  double wait = 0;       // from the arrival to the begin of the first run, milliseconds
  double most_wait = 0;
  uint64_t longest = 0;  // the most runs of tokens between two of a request
};

class Simulation {
 public:
  Simulation(const Load& load, Chooser choose) : load_(load), choose_(std::move(choose)) {
    limits_.mixed_lengths = load.mixed_lengths;
    limits_.chunks = load.mixed_lengths;
    for (int i = 0; i < load.clients; ++i) arrivals_.push(Below(50'000'000));
    if (load.clients == 0) arrivals_.push(Exponential());
  }

  Result Run() {
    while (static_cast<int>(latencies_.size()) < load_.requests) {
      while (!arrivals_.empty() && arrivals_.top() <= now_) Arrive();
      while (running_.size() < kMaxRows && !waiting_.empty()) Start();
      candidates_.clear();
      for (const Generation& generation : running_) candidates_.push_back(generation.candidate);
      choose_(candidates_, history_, limits_, step_);
      if (step_.kind == Kind::kNone) {
        now_ = arrivals_.top();
        continue;
      }
      Make();
    }
    Result result;
    result.throughput = static_cast<double>(tokens_) / (static_cast<double>(now_) * 1e-9);
    result.rows = static_cast<double>(tokens_) / static_cast<double>(history_.token_runs);
    std::ranges::sort(latencies_);
    for (const double latency : latencies_) {
      result.mean += latency / static_cast<double>(latencies_.size());
    }
    result.p99 = latencies_[latencies_.size() * 99 / 100];
    result.longest = longest_;
    for (const double wait : waits_) {
      result.wait += wait / static_cast<double>(waits_.size());
      result.most_wait = std::max(result.most_wait, wait);
    }
    return result;
  }

 private:
  struct Generation {
    Candidate candidate;
    int64_t left = 0;
    Nanos arrived = 0;
    uint64_t token_run = 0;
    bool begun = false;
  };

  Nanos Below(int64_t most) { return static_cast<Nanos>(random_() % static_cast<uint64_t>(most)); }
  int64_t Between(int64_t least, int64_t most) { return least + Below(most - least + 1); }
  Nanos Exponential() {
    return static_cast<Nanos>(std::exponential_distribution<double>(load_.rate * 1e-9)(random_));
  }

  void Arrive() {
    waiting_.push_back(arrivals_.top());
    arrivals_.pop();
    if (load_.clients == 0) arrivals_.push(waiting_.back() + Exponential());
  }

  void Start() {
    Generation generation;
    generation.arrived = waiting_.front();
    waiting_.erase(waiting_.begin());
    generation.left = Between(load_.least_tokens, load_.most_tokens);
    generation.candidate = {load_.encoder ? Need::kEncoder : Need::kPrompt, 1, 0,
                            Between(load_.least_prompt, load_.most_prompt), history_.runs};
    generation.token_run = history_.token_runs;
    running_.push_back(generation);
  }

  void Make() {
    for (const uint32_t member : step_.members) {
      Generation& generation = running_[member];
      if (std::exchange(generation.begun, true)) continue;
      waits_.push_back(static_cast<double>(now_ - generation.arrived) * 1e-6);
    }
    now_ += CostOf(step_, step_.members.size());
    for (const uint32_t member : step_.members) Advance(running_[member]);
    history_.Note(step_);
    std::erase_if(running_, [this](const Generation& generation) {
      if (generation.left > 0) return false;
      latencies_.push_back(static_cast<double>(now_ - generation.arrived) * 1e-6);
      if (load_.clients > 0) arrivals_.push(now_);
      return true;
    });
  }

  void Advance(Generation& generation) {
    Candidate& candidate = generation.candidate;
    candidate.last_run = history_.runs;
    if (candidate.need == Need::kEncoder) {
      candidate.need = Need::kToken;
      candidate.unseen = 1;
      return;
    }
    candidate.seen += step_.tokens;
    candidate.unseen -= step_.tokens;
    if (candidate.unseen > 0) {
      if (candidate.unseen == 1) candidate.need = Need::kToken;
      return;
    }
    const bool token = step_.kind == Kind::kToken;
    if (token) longest_ = std::max(longest_, history_.token_runs - generation.token_run);
    generation.token_run = history_.token_runs + (token ? 1 : 0);
    candidate.need = Need::kToken;
    candidate.unseen = 1;
    --generation.left;
    ++tokens_;
  }

  const Load load_;
  const Chooser choose_;
  StepLimits limits_;
  std::mt19937_64 random_{1};
  std::priority_queue<Nanos, std::vector<Nanos>, std::greater<>> arrivals_;
  std::vector<Nanos> waiting_;
  std::vector<Generation> running_;
  std::vector<Candidate> candidates_;
  StepHistory history_;
  Step step_;
  Nanos now_ = 0;
  uint64_t tokens_ = 0;
  uint64_t longest_ = 0;
  std::vector<double> latencies_;
  std::vector<double> waits_;
};

// One request after another: the next starts when the present one has ended.
void OneAfterAnother(std::span<const Candidate> candidates, const StepHistory& history,
                     const StepLimits& limits, Step& step) {
  ChooseStep(candidates.first(std::min<size_t>(candidates.size(), 1)), history, limits, step);
}

// As ChooseStep, but the group of equal lengths is that which `better` puts first.
template <class Better>
Chooser Groups(Better better) {
  return [better](std::span<const Candidate> candidates, const StepHistory& history,
                  const StepLimits& limits, Step& step) {
    ChooseStep(candidates, history, limits, step);
    if (step.kind != Kind::kToken) return;
    const Candidate* first = nullptr;
    for (const Candidate& candidate : candidates) {
      if (candidate.need != Need::kToken) continue;
      if (first == nullptr || better(candidate, *first)) first = &candidate;
    }
    step.members.clear();
    for (uint32_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].need == Need::kToken && candidates[i].seen == first->seen) step.members.push_back(i);
    }
  };
}

const Chooser& RoundRobin() {
  static const Chooser chooser = Groups(
      [](const Candidate& a, const Candidate& b) { return a.last_run < b.last_run; });
  return chooser;
}
const Chooser& ShortestFirst() {
  static const Chooser chooser =
      Groups([](const Candidate& a, const Candidate& b) { return a.seen < b.seen; });
  return chooser;
}

Result Simulate(const Load& load, const Chooser& chooser) { return Simulation(load, chooser).Run(); }

void Print(const char* what, const char* how, const Result& result) {
  std::printf("%s, %s: %.0f tokens a second, %.2f rows a run, latency %.0f ms, p99 %.0f ms, at most %zu runs apart\n",
              what, how, result.throughput, result.rows, result.mean, result.p99,
              static_cast<size_t>(result.longest));
}

TEST(GenerationSimulation, EightTogetherMakeThreeTimesTheTokensOfOneAfterAnother) {
  for (const bool encoder : {false, true}) {
    Load load{.mixed_lengths = !encoder, .encoder = encoder, .clients = 8, .requests = 400};
    // Clients that come at the same time and want equally much, as in the benchmark.
    load.least_tokens = load.most_tokens = 64;
    load.least_prompt = load.most_prompt = 32;
    const Result together = Simulate(load, ChooseStep);
    const Result alone = Simulate(load, OneAfterAnother);
    Print(encoder ? "encoder" : "decoder", "together", together);
    Print(encoder ? "encoder" : "decoder", "one after another", alone);
    EXPECT_GE(together.throughput, 3 * alone.throughput);
  }
}

TEST(GenerationSimulation, MixedPromptsShareMostRuns) {
  for (const int clients : {2, 4, 8, 16, 32}) {
    const Load load{.clients = clients};
    const Result result = Simulate(load, ChooseStep);
    Print("mixed lengths", std::to_string(clients).c_str(), result);
    EXPECT_GE(result.rows, 0.85 * clients);
    EXPECT_EQ(result.longest, 0u);
  }
}

TEST(GenerationSimulation, AJoinerWaitsForTheRunInProgress) {
  for (const bool encoder : {false, true}) {
    const Load load{.mixed_lengths = !encoder, .encoder = encoder, .rate = 10, .requests = 600};
    const Result result = Simulate(load, ChooseStep);
    std::printf("%s: a joiner waits for %.2f ms, at most %.2f ms\n", encoder ? "encoder" : "decoder",
                result.wait, result.most_wait);
    // A run of a few rows takes 1.5 ms, and a prefill 3 ms at most.
    EXPECT_LE(result.wait, 1.5);
    EXPECT_LE(result.most_wait, 3 + 1.5 + 3);
  }
}

TEST(GenerationSimulation, GroupsOfEqualLengthsMakeMoreTokensThanTurnsOrTheShortestFirst) {
  for (const int clients : {2, 4, 8, 16, 32}) {
    const Load load{.mixed_lengths = false, .encoder = true, .clients = clients, .requests = 600};
    const Result product = Simulate(load, ChooseStep);
    const Result turns = Simulate(load, RoundRobin());
    const Result shortest = Simulate(load, ShortestFirst());
    const std::string what = std::to_string(clients) + " clients";
    Print(what.c_str(), "product", product);
    Print(what.c_str(), "round robin", turns);
    Print(what.c_str(), "shortest first", shortest);
    EXPECT_GE(product.throughput, 1.1 * turns.throughput);
    EXPECT_GE(product.throughput, 1.1 * shortest.throughput);
    EXPECT_GE(product.throughput, (clients >= 8 ? 2 : 1) * turns.throughput);
    EXPECT_LE(product.longest, kTurnEvery * static_cast<uint64_t>(clients));
  }
}

TEST(GenerationSimulation, PoissonTrafficIsServedBeyondTheCapacityOfOneAfterAnother) {
  for (const double rate : {4., 10., 20., 30.}) {
    const Load load{.mixed_lengths = false, .encoder = true, .rate = rate, .requests = 600};
    const Result product = Simulate(load, ChooseStep);
    const Result turns = Simulate(load, RoundRobin());
    const std::string what = std::to_string(static_cast<int>(rate)) + " a second";
    Print(what.c_str(), "product", product);
    Print(what.c_str(), "round robin", turns);
    EXPECT_LE(product.mean, turns.mean);
    // One after another, 8 a second would be too much.
    EXPECT_LE(product.p99, 4000);
  }
}

}  // namespace
}  // namespace millrace
