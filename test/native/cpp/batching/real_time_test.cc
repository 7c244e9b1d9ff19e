// The batcher in real time, on a model that takes a known time and no processor: what the simulations
// promise, measured. Every measurement is printed; the bounds are wide enough for one of three that was
// disturbed. On a machine too busy to wake threads in time these figures say nothing about the batcher:
// whether it is, is measured first.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
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
// What a run of the model costs, and each of its rows.
constexpr Nanos kFixed = 2'000'000;
constexpr Nanos kEach = 100'000;

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
  void FailEarly(uint32_t, uint64_t, const Status&) override {}

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
  options.policy = {kind, kMaxRows, 0};
  return options;
}

void Seed(Batcher& batcher, const Timed& model) {
  for (int64_t rows = 1; rows <= kMaxRows; rows *= 2) {
    const auto cost = static_cast<double>(model.CostOf(rows));
    batcher.cost().Seed({static_cast<double>(rows), cost, cost, 1});
  }
}

// Whether nine sleeps of ten end within a tenth of the shortest run of when they should.
bool IsQuiet() {
  const SteadyClock clock;
  std::vector<Nanos> late;
  for (int i = 0; i < 100; ++i) {
    const Nanos due = clock.Now() + 2'000'000;
    SleepUntil(due);
    late.push_back(clock.Now() - due);
  }
  std::ranges::nth_element(late, late.begin() + 90);
  std::printf("nine sleeps of ten end %.0f us late at most\n", static_cast<double>(late[90]) * 1e-3);
  return late[90] <= 210'000;
}

constexpr const char* kBusy = "the machine is too busy to wake threads in time";

// Responses within 20 ms a second, as a share of what full batches can serve, under Poisson arrivals.
double Goodput(double load) {
  constexpr Nanos kSlo = 20'000'000;
  const SteadyClock clock;
  Timed model(kFixed, kEach);
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
  if (!IsQuiet()) GTEST_SKIP() << kBusy;
  for (const double load : {1.3, 2.0}) {
    double best = 0;
    for (int i = 0; i < kTries && best < 0.85; ++i) {
      const double goodput = Goodput(load);
      best = std::max(best, goodput);
      std::printf("%.1f x capacity: goodput %.3f of the ideal\n", load, goodput);
    }
    EXPECT_GE(best, 0.85) << load;
  }
}

// Responses a second with so many clients, each of which sends its next request one round trip after its response.
double Throughput(PolicyKind kind, int clients, Nanos round_trip) {
  const SteadyClock clock;
  Timed model(kFixed, kEach);
  const auto box = std::make_shared<Box>();
  test::Requests requests(box.get());
  Batcher batcher(model, clock, OptionsOf(kind));
  Seed(batcher, model);
  // Not all at the same moment, or they would stay together under any policy.
  for (int i = 0; i < clients; ++i) {
    SleepUntil(clock.Now() + 700'000);
    EXPECT_EQ(batcher.Submit(requests.Make(1)), Code::kOk);
  }
  int64_t responses = 0;
  const Nanos began = clock.Now();
  const Nanos end = began + 500'000'000;
  for (int left = clients; left > 0;) {
    Request* const delivered = box->Take(true);
    if (round_trip > 0) SleepUntil(clock.Now() + round_trip);
    for (Request* request = delivered; request != nullptr;) {
      Request* const next = request->next;
      if (clock.Now() < end) {
        ++responses;
        request->outputs.reset();
        EXPECT_EQ(batcher.Submit(request), Code::kOk);
      } else {
        --left;
      }
      request = next;
    }
  }
  return static_cast<double>(responses) * 1e9 / static_cast<double>(end - began);
}

TEST(RealTime, ClientsThatComeBackAreWaitedFor) {
  if (!IsQuiet()) GTEST_SKIP() << kBusy;
  // Without a round trip many clients are back before the worker looks, whatever the policy.
  for (const auto& [clients, round_trip] :
       std::vector<std::pair<int, Nanos>>{{4, 0}, {8, 0}, {4, 100'000}, {8, 100'000}}) {
    // What they get if every run serves all of them. Half of them a run get 0.6 of it at most.
    const double together =
        1e9 * clients / static_cast<double>(Timed(kFixed, kEach).CostOf(clients) + round_trip);
    // Lenient: one undisturbed measurement is enough, because it cannot be too good.
    const double enough = 0.75 * together;
    double best = 0;
    for (int i = 0; i < kTries && best < enough; ++i) {
      const double busy = Throughput(PolicyKind::kBusy, clients, round_trip);
      const double excess = Throughput(PolicyKind::kExcess, clients, round_trip);
      best = std::max(best, excess);
      std::printf("%d clients, round trip %.1f ms: busy %.2f, excess %.2f of all in one run\n",
                  clients, static_cast<double>(round_trip) * 1e-6, busy / together, excess / together);
    }
    EXPECT_GE(best, enough) << clients;
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
        request->deadline = clock.Now() + 1'200'000'000;
        EXPECT_EQ(batcher->Submit(request), Code::kOk);
      }
    }
    SleepUntil(clock.Now() + 1'000'000'000);
    used[0] = first.Stats().compute.sum;
    used[1] = second.Stats().compute.sum;
  }
  return used[1] / used[0];
}

TEST(RealTime, WeightsDivideTheTimeOfADevice) {
  for (const auto& [weight, first, second] :
       std::vector<std::tuple<double, Nanos, Nanos>>{{1, 2'000'000, 6'000'000},
                                                     {3, 4'000'000, 4'000'000}}) {
    std::vector<double> ratios;
    for (int i = 0; i < kTries; ++i) {
      ratios.push_back(ShareOfTime(weight, first, second));
      std::printf("weight 1 : %.0f, runs of %.0f and %.0f ms: device time 1 : %.2f\n", weight,
                  static_cast<double>(first) * 1e-6, static_cast<double>(second) * 1e-6,
                  ratios.back());
    }
    std::ranges::sort(ratios);
    EXPECT_NEAR(ratios[kTries / 2] / weight, 1, 0.1);
  }
}

}  // namespace
}  // namespace millrace
