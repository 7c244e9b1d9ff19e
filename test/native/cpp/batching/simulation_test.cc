// The policy in simulated time: the product's own Decide, ArrivalModel, Pending and CostModel, driven
// by a discrete-event model of clients and one worker.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <queue>
#include <random>
#include <vector>

#include "batching/arrivals.h"
#include "batching/pending.h"
#include "batching/policy.h"
#include "support/requests.h"

namespace millrace {
namespace {

constexpr int64_t kMaxRows = 32;

// A run of `rows` rows takes 2.0 + 0.1 rows milliseconds.
constexpr Nanos CostOf(size_t rows) { return 2'000'000 + 100'000 * static_cast<Nanos>(rows); }

struct Load {
  PolicyKind policy = PolicyKind::kBusy;
  // Closed loop: so many clients, each sends its next request one round trip after its response.
  int clients = 0;
  Nanos round_trip = 100'000;
  double jitter = 20'000;  // mean of an exponential
  // Open loop: Poisson arrivals a second.
  double rate = 0;
  // 0: none.
  Nanos slo = 0;
  double seconds = 20;
};

struct Result {
  double throughput = 0;  // responses a second
  double mean = 0;        // latency, nanoseconds
  double p99 = 0;
  double offered = 0;  // requests a second
  double in_time = 0;  // responses within the SLO, a second
};

class Simulation {
 public:
  explicit Simulation(const Load& load) : load_(load), pending_({.batched = true}) {
    policy_ = {load.policy, kMaxRows, 0};
    for (int64_t rows = 1; rows <= kMaxRows; rows *= 2) {
      const auto cost = static_cast<double>(CostOf(static_cast<size_t>(rows)));
      cost_.Seed({static_cast<double>(rows), cost, cost, 1});
    }
    for (int client = 0; client < load.clients; ++client) arrivals_.push(Exponential(1e6));
    if (load.clients == 0) arrivals_.push(Exponential(1e9 / load.rate));
  }

  Result Run() {
    const auto end = static_cast<Nanos>(load_.seconds * 1e9);
    for (Nanos now = Next(); now < end; now = Next()) Step(now);
    Result result;
    result.throughput = static_cast<double>(latencies_.size()) / load_.seconds;
    result.offered = static_cast<double>(offered_) / load_.seconds;
    result.in_time = static_cast<double>(in_time_) / load_.seconds;
    std::ranges::sort(latencies_);
    for (const double latency : latencies_) {
      result.mean += latency / static_cast<double>(latencies_.size());
    }
    if (!latencies_.empty()) result.p99 = latencies_[latencies_.size() * 99 / 100];
    return result;
  }

 private:
  Nanos Exponential(double mean) {
    return static_cast<Nanos>(std::exponential_distribution<double>(1 / mean)(random_));
  }

  Nanos Next() const {
    const Nanos worker = ends_ != kNever ? ends_ : wake_;
    return arrivals_.empty() ? worker : std::min(worker, arrivals_.top());
  }

  void Step(Nanos now) {
    if (ends_ == now) Finish(now);
    while (!arrivals_.empty() && arrivals_.top() <= now) Arrive();
    if (ends_ == kNever) Form(now);
  }

  void Arrive() {
    const Nanos time = arrivals_.top();
    arrivals_.pop();
    if (load_.clients == 0) arrivals_.push(time + Exponential(1e9 / load_.rate));
    Request* const request = requests_.Make(0);
    request->submitted = time;
    request->sequence = offered_++;
    request->deadline = load_.slo > 0 ? time + load_.slo : kNever;
    pending_.Add(request);
    model_.Arrived(time);
  }

  void Form(Nanos now) {
    QueueView view = pending_.View(policy_);
    view.cost = cost_.Mean(std::min(view.rows, kMaxRows));
    view.window_end = model_.window_end();
    view.arrived = model_.arrived();
    view.expected = model_.expected();
    view.excess = model_.excess();
    const Decision decision = Decide(view, now, policy_);
    wake_ = decision.action == Decision::Action::kWait ? decision.until : kNever;
    if (decision.action != Decision::Action::kRun) return;
    std::vector<Request*> dropped;
    pending_.Take(kMaxRows, now, cost_, batch_, dropped);
    for (size_t i = 0; i < dropped.size(); ++i) RespondedAt(now);
    if (batch_.empty()) {
      wake_ = pending_.empty() ? kNever : now + 1;
      return;
    }
    started_ = now;
    // Two per cent of noise, as no run takes exactly as long as another.
    ends_ = now + CostOf(batch_.size()) * (9'900 + static_cast<Nanos>(random_() % 200)) / 10'000;
  }

  void Finish(Nanos now) {
    for (const Request* request : batch_) {
      latencies_.push_back(static_cast<double>(now - request->submitted));
      if (load_.slo > 0 && now <= request->deadline) ++in_time_;
      RespondedAt(now);
    }
    model_.Completed(now, now - started_, batch_.size());
    batch_.clear();
    ends_ = kNever;
  }

  void RespondedAt(Nanos now) {
    if (load_.clients > 0) arrivals_.push(now + load_.round_trip + Exponential(load_.jitter));
  }

  const Load load_;
  BatchPolicy policy_;
  CostModel cost_;
  Pending pending_;
  ArrivalModel model_;
  test::Requests requests_;
  std::mt19937_64 random_{1};
  std::priority_queue<Nanos, std::vector<Nanos>, std::greater<>> arrivals_;
  std::vector<Request*> batch_;
  Nanos started_ = 0;
  Nanos ends_ = kNever;
  Nanos wake_ = kNever;
  uint64_t offered_ = 0;
  uint64_t in_time_ = 0;
  std::vector<double> latencies_;
};

Result Simulate(const Load& load) { return Simulation(load).Run(); }

TEST(PolicySimulation, WaitingForReturningClientsMergesTheirGroups) {
  for (const int clients : {2, 4, 8, 16}) {
    const Result busy = Simulate({.policy = PolicyKind::kBusy, .clients = clients});
    const Result excess = Simulate({.policy = PolicyKind::kExcess, .clients = clients});
    const double throughput = excess.throughput / busy.throughput;
    const double p99 = excess.p99 / busy.p99;
    std::printf("%2d clients: throughput x %.2f, p99 x %.2f\n", clients, throughput, p99);
    EXPECT_GE(throughput, 1.4) << clients;
    EXPECT_LE(p99, 1.05) << clients;
  }
}

TEST(PolicySimulation, PoissonTrafficDoesNotWait) {
  for (const double rate : {50., 400., 1000., 2000., 4000., 5500.}) {
    const Result busy = Simulate({.policy = PolicyKind::kBusy, .rate = rate});
    const Result excess = Simulate({.policy = PolicyKind::kExcess, .rate = rate});
    std::printf("%5.0f a second: mean latency x %.4f\n", rate, excess.mean / busy.mean);
    EXPECT_LE(excess.mean / busy.mean, 1.01) << rate;
  }
}

TEST(PolicySimulation, UnderOverloadTheWorkerRunsRequestsThatMeetTheirDeadline) {
  const double capacity = kMaxRows * 1e9 / static_cast<double>(CostOf(kMaxRows));
  for (const double load : {1.3, 2.0}) {
    const Result result = Simulate(
        {.policy = PolicyKind::kExcess, .rate = load * capacity, .slo = 20'000'000});
    const double goodput = result.in_time / capacity;
    std::printf("%.1f x capacity: goodput %.3f of the ideal\n", load, goodput);
    EXPECT_GE(goodput, 0.97) << load;
  }
}

}  // namespace
}  // namespace millrace
