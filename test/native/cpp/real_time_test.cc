// The batcher in real time, on a model that takes a known time and no processor: what the simulations
// promise, measured. A busy machine can spoil a measurement but not improve one, so the best of a few
// counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "batching/batcher.h"
#include "support/executors.h"

namespace millrace {
namespace {

constexpr int64_t kMaxRows = 32;
constexpr int kTries = 3;

using std::chrono::nanoseconds;

void SleepUntil(Nanos time) {
  std::this_thread::sleep_until(std::chrono::steady_clock::time_point(nanoseconds(time)));
}

// A run of `rows` rows takes `fixed` + `each` × rows.
class Timed final : public Executor {
 public:
  Timed(Nanos fixed, Nanos each) : fixed_(fixed), each_(each) {}

  Nanos CostOf(int64_t rows) const { return fixed_ + each_ * rows; }

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<test::FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle&, OutputRef& outputs) override {
    const Nanos end = SteadyClock().Now() + CostOf(inputs[0].shape.dims[0]);
    auto block = std::make_shared<test::OwnedOutputs>();
    const Status status = test::Double(inputs, *block);
    outputs = std::move(block);
    SleepUntil(end);
    return status;
  }

 private:
  const Nanos fixed_;
  const Nanos each_;
};

// Finished requests, until the client takes them all at once.
class Box final : public CompletionSink {
 public:
  void Finish(Request* newest, Request* oldest) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      oldest->next = chain_;
      chain_ = newest;
    }
    some_.notify_one();
  }
  void AnswerEarly(uint32_t, uint64_t, const Status&) override {}

  Request* Take(bool wait) {
    std::unique_lock lock(mutex_);
    if (wait) some_.wait(lock, [this] { return chain_ != nullptr; });
    return std::exchange(chain_, nullptr);
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  Request* chain_ = nullptr;
};

BatcherOptions OptionsOf(PolicyKind kind) {
  BatcherOptions options;
  options.pending.batched = true;
  options.policy = {kind, kMaxRows, 1'000'000};
  return options;
}

void Seed(Batcher& batcher, const Timed& model) {
  for (int64_t rows = 1; rows <= kMaxRows; rows *= 2) {
    const auto cost = static_cast<double>(model.CostOf(rows));
    batcher.cost().Seed({static_cast<double>(rows), cost, cost, 1});
  }
}

// Answers within 20 ms a second, as a share of what full batches can serve, under Poisson arrivals.
double Goodput(double load) {
  constexpr Nanos kSlo = 20'000'000;
  const SteadyClock clock;
  Timed model(2'000'000, 100'000);
  const auto box = std::make_shared<Box>();
  test::Requests requests(box.get());
  Batcher batcher(model, clock, OptionsOf(PolicyKind::kExcess));
  Seed(batcher, model);
  const double capacity = static_cast<double>(kMaxRows) / static_cast<double>(model.CostOf(kMaxRows));
  std::mt19937 random(1);
  std::exponential_distribution<> gap(load * capacity);
  std::vector<Request*> free;
  double in_time = 0;
  const auto collect = [&] {
    for (Request* request = box->Take(false); request != nullptr; request = request->next) {
      if (request->status.ok() && request->finished <= request->deadline) ++in_time;
      free.push_back(request);
    }
  };
  const Nanos began = clock.Now();
  const Nanos end = began + 2'000'000'000;
  for (auto next = static_cast<double>(began); next < static_cast<double>(end); next += gap(random)) {
    const auto due = static_cast<Nanos>(next);
    if (due > clock.Now() + 100'000) SleepUntil(due);
    collect();
    if (free.empty()) free.push_back(requests.Make(1));
    // Its time runs from when it was to come, whatever the sender was doing then.
    free.back()->deadline = due + kSlo;
    if (batcher.Submit(free.back()) == Code::kOk) free.pop_back();
  }
  batcher.Close();
  collect();
  return in_time / (capacity * static_cast<double>(end - began));
}

TEST(RealTime, GoodputUnderOverload) {
  for (const double load : {1.3, 2.0}) {
    double best = 0;
    for (int i = 0; i < kTries && best < 0.9; ++i) {
      best = std::max(best, Goodput(load));
      std::printf("%.1f x capacity: goodput %.3f of the ideal\n", load, best);
    }
    EXPECT_GE(best, 0.9) << load;
  }
}

// Answers a second with so many clients, each of which asks again as soon as it is answered.
double Throughput(PolicyKind kind, int clients) {
  const SteadyClock clock;
  Timed model(2'000'000, 100'000);
  const auto box = std::make_shared<Box>();
  test::Requests requests(box.get());
  Batcher batcher(model, clock, OptionsOf(kind));
  Seed(batcher, model);
  // Not all at the same moment, or they would stay together under any policy.
  for (int i = 0; i < clients; ++i) {
    SleepUntil(clock.Now() + 700'000);
    EXPECT_EQ(batcher.Submit(requests.Make(1)), Code::kOk);
  }
  int64_t answers = 0;
  const Nanos began = clock.Now();
  const Nanos end = began + 1'000'000'000;
  for (int left = clients; left > 0;) {
    for (Request* request = box->Take(true); request != nullptr;) {
      Request* const next = request->next;
      if (clock.Now() < end) {
        ++answers;
        request->outputs.reset();
        EXPECT_EQ(batcher.Submit(request), Code::kOk);
      } else {
        --left;
      }
      request = next;
    }
  }
  return static_cast<double>(answers) * 1e9 / static_cast<double>(end - began);
}

TEST(RealTime, ClientsThatComeBackAreWaitedFor) {
  for (const int clients : {4, 8}) {
    double best = 0;
    for (int i = 0; i < kTries && best < 1.4; ++i) {
      const double busy = Throughput(PolicyKind::kBusy, clients);
      const double timer = Throughput(PolicyKind::kTimer, clients);
      const double excess = Throughput(PolicyKind::kExcess, clients);
      best = std::max(best, excess / busy);
      std::printf("%d clients: busy %.0f/s, timer of 1 ms %.0f/s, excess %.0f/s: x %.2f\n", clients,
                  busy, timer, excess, excess / busy);
    }
    EXPECT_GE(best, 1.4) << clients;
  }
}

// Two models that always have work: by how much the second gets more device time than the first.
double ShareOfTime(double weight, Nanos first_run, Nanos second_run) {
  const SteadyClock clock;
  DeviceShare share(1);
  Timed models[] = {Timed(first_run, 0), Timed(second_run, 0)};
  const auto box = std::make_shared<Box>();
  test::Requests requests(box.get());
  BatcherOptions options = OptionsOf(PolicyKind::kBusy);
  options.policy.max_rows = 1;
  options.max_queue = 4096;
  options.share = &share;
  double used[2] = {};
  {
    Batcher first(models[0], clock, options);
    options.weight = weight;
    Batcher second(models[1], clock, options);
    for (int i = 0; i < 1000; ++i) {
      for (Batcher* batcher : {&first, &second}) {
        Request* const request = requests.Make(1);
        request->deadline = clock.Now() + 2'000'000'000;
        EXPECT_EQ(batcher->Submit(request), Code::kOk);
      }
    }
    SleepUntil(clock.Now() + 1'500'000'000);
    used[0] = first.Stats().compute.sum;
    used[1] = second.Stats().compute.sum;
  }
  return used[1] / used[0];
}

TEST(RealTime, WeightsDivideTheTimeOfADevice) {
  for (const auto& [weight, first, second] :
       std::vector<std::tuple<double, Nanos, Nanos>>{{1, 2'000'000, 6'000'000},
                                                     {3, 4'000'000, 4'000'000}}) {
    double best = 0;
    for (int i = 0; i < kTries && std::abs(best / weight - 1) > 0.1; ++i) {
      best = ShareOfTime(weight, first, second);
      std::printf("weight 1 : %.0f, runs of %.0f and %.0f ms: device time 1 : %.2f\n", weight,
                  static_cast<double>(first) * 1e-6, static_cast<double>(second) * 1e-6, best);
    }
    EXPECT_NEAR(best / weight, 1, 0.1);
  }
}

}  // namespace
}  // namespace millrace
