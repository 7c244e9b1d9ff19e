// More load than a worker can take, in simulated time: the product's own batcher from Submit on, one
// worker, and clients that need their responses by a deadline.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "batching/batcher.h"
#include "support/clock.h"
#include "support/executors.h"

namespace millrace {
namespace {

constexpr int64_t kFullBatch = 32;
constexpr Nanos kSlo = 20'000'000;

// A run of `rows` rows takes 2.0 + 0.1 rows milliseconds.
constexpr double CostOf(int64_t rows) { return 2e6 + 1e5 * static_cast<double>(rows); }

struct Overload {
  double load = 1;  // offered, as a share of what full batches can serve
  // One run of so many takes `stretch` times as long; 0: none.
  int slow_every = 0;
  double stretch = 1;
  double seconds = 10;
};

struct Outcome {
  double goodput = 0;  // responses in time, as a share of what full batches can serve
  double kept = 0;     // responses in time of those accepted
  double refused = 0;  // of those offered
};

// The clock, the clients, the model and the sink in one: a run takes the time it takes, during which
// clients go on submitting.
class World final : public Executor, public CompletionSink {
 public:
  explicit World(const Overload& overload) : overload_(overload) {}

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<test::FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override {
    const int64_t rows = inputs[0].shape.dims[0];
    const bool slow = overload_.slow_every > 0 && random_() % overload_.slow_every == 0;
    const double noise = 0.98 + 0.04 * std::uniform_real_distribution<>()(random_);
    PassTo(clock_.Now() + static_cast<Nanos>(CostOf(rows) * noise * (slow ? overload_.stretch : 1)));
    return doubles_.Run(inputs, handle, outputs);
  }

  void Finish(Request* newest, Request* oldest) noexcept override {
    for (Request* request = newest;; request = request->next) {
      if (request->status.ok() && clock_.Now() <= request->deadline) ++in_time_;
      free_.push_back(request);
      if (request == oldest) break;
    }
  }

  void FailEarly(uint32_t, uint64_t, const Status&) override {}

  Outcome Play() {
    BatcherOptions options;
    options.threads = false;
    options.pending.batched = true;
    options.policy = {PolicyKind::kExcess, kFullBatch, 0};
    Batcher batcher(*this, clock_, options);
    for (int64_t rows = 1; rows <= kFullBatch; rows *= 2) {
      batcher.cost().Seed({static_cast<double>(rows), CostOf(rows), CostOf(rows), 1});
    }
    batcher_ = &batcher;
    const auto end = static_cast<Nanos>(overload_.seconds * 1e9);
    while (clock_.Now() < end) {
      const Decision decision = batcher.Turn(0);
      if (decision.action == Decision::Action::kRun) continue;
      PassTo(std::min(decision.until, next_));
    }
    const double capacity = kFullBatch * 1e9 / CostOf(kFullBatch) * overload_.seconds;
    const auto accepted = static_cast<double>(batcher.Stats().submitted);
    return {in_time_ / capacity, in_time_ / accepted, 1 - accepted / offered_};
  }

 private:
  void PassTo(Nanos time) {
    const double rate = overload_.load * kFullBatch / CostOf(kFullBatch);
    while (next_ <= time) {
      clock_.Advance(next_ - clock_.Now());
      Submit();
      next_ += 1 + static_cast<Nanos>(std::exponential_distribution<>(rate)(random_));
    }
    clock_.Advance(time - clock_.Now());
  }

  void Submit() {
    if (free_.empty()) free_.push_back(requests_.Make(0));
    Request* const request = free_.back();
    request->sink = this;
    request->deadline = clock_.Now() + kSlo;
    ++offered_;
    if (batcher_->Submit(request) == Code::kOk) free_.pop_back();
  }

  const Overload overload_;
  test::FakeClock clock_;
  test::FunctionExecutor doubles_{test::Double};
  test::Requests requests_;
  std::vector<Request*> free_;
  std::mt19937 random_{1};
  Batcher* batcher_ = nullptr;
  Nanos next_ = 2;
  double in_time_ = 0;
  double offered_ = 0;
};

Outcome Play(const Overload& overload) {
  const auto world = std::make_shared<World>(overload);
  const Outcome outcome = world->Play();
  std::printf("%.1f x capacity, 1 run in %d takes %.0f times as long: goodput %.3f, kept %.3f, refused %.3f\n",
              overload.load, overload.slow_every, overload.stretch, outcome.goodput, outcome.kept,
              outcome.refused);
  return outcome;
}

TEST(Overload, TheWorkerRunsOnlyRequestsThatMeetTheirDeadline) {
  for (const double load : {1.3, 2.0}) {
    const Outcome outcome = Play({.load = load});
    EXPECT_GE(outcome.goodput, 0.97) << load;
    EXPECT_GE(outcome.kept, 0.97) << load;
  }
}

TEST(Overload, TheWorkerRunsOnlySuchRequestsIfRunTimesVary) {
  for (const double load : {0.9, 1.3, 2.0}) {
    const Outcome outcome = Play({.load = load, .slow_every = 20, .stretch = 3});
    EXPECT_GE(outcome.goodput, 0.8 * std::min(load, 1.0)) << load;
  }
}

TEST(Overload, BelowCapacityNoRequestIsRefused) {
  const Outcome outcome = Play({.load = 0.7});
  EXPECT_GE(outcome.goodput, 0.69);
  EXPECT_LE(outcome.refused, 0.001);
}

}  // namespace
}  // namespace millrace
