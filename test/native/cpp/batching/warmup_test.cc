#include "batching/warmup.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "support/clock.h"
#include "support/executors.h"
#include "support/shapes.h"

namespace millrace {
namespace {

using test::Double;
using test::FakeClock;
using test::FunctionExecutor;
using test::OwnedOutputs;

constexpr Nanos kForEver = 1'000'000'000'000;
const WarmupOptions kFourRows{true, 4, 0};
// Times of a run of one row.
constexpr Nanos kShort = 500'000;
constexpr Nanos kLong = 2'000'000;

Signature OneInput(std::vector<int64_t> dims = {-1, 3}) {
  return {{{"x", ElementType::kFloat32, dims, {}}}, {{"y", ElementType::kFloat32, dims, {}}}};
}

// A model whose runs take a millisecond and a tenth more for each row.
class WarmUpTest : public testing::Test {
 protected:
  static Nanos CostOf(int64_t rows) { return 1'000'000 + 100'000 * rows; }

  FakeClock clock;
  std::vector<int64_t> sizes;  // of the runs so far
  int64_t largest = 1000;
  FunctionExecutor executor{[this](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    const int64_t rows = inputs[0].shape.rank == 0 ? 1 : inputs[0].shape.dims[0];
    sizes.push_back(rows);
    if (rows > largest) return Status(Code::kInternal, "Too many rows");
    clock.Advance(CostOf(rows));
    return Double(inputs, outputs);
  }};
  CostModel cost;
};

TEST_F(WarmUpTest, MeasuresPowersOfTwoAndTheLargest) {
  WarmUp(OneInput(), executor, clock, {true, 12, kForEver}, cost);
  std::vector<double> measured;
  for (const CostModel::Point& point : cost.Read()) measured.push_back(point.rows);
  EXPECT_EQ(measured, (std::vector<double>{1, 2, 4, 8, 12}));
  for (const int64_t rows : {1, 2, 4, 8, 12}) EXPECT_EQ(cost.Mean(rows), CostOf(rows));
}

TEST_F(WarmUpTest, TheFirstRunOfASizeIsNotMeasured) {
  WarmUp(OneInput(), executor, clock, {true, 1, kForEver}, cost);
  EXPECT_EQ(cost.Read().front().samples + 1, sizes.size());
}

TEST_F(WarmUpTest, EverySizeIsMeasuredOnceEvenIfTheBudgetIsSpent) {
  WarmUp(OneInput(), executor, clock, {true, 8, 1}, cost);
  EXPECT_EQ(sizes, (std::vector<int64_t>{1, 1, 2, 2, 4, 4, 8, 8}));
  EXPECT_EQ(cost.Read().size(), 4u);
}

TEST_F(WarmUpTest, StaysNearItsBudget) {
  const Nanos began = clock.Now();
  WarmUp(OneInput(), executor, clock, {true, 8, 10'000'000}, cost);
  Nanos once = 0;
  for (const int64_t rows : {1, 2, 4, 8}) once += 2 * CostOf(rows);
  EXPECT_LE(clock.Now() - began, 10'000'000 + once);
}

TEST_F(WarmUpTest, AModelWithoutRowsHasOneSize) {
  for (const Signature& signature : {OneInput({}), OneInput({4})}) {
    CostModel fixed;
    WarmUp(signature, executor, clock, {false, 64, kForEver}, fixed);
    ASSERT_EQ(fixed.Read().size(), 1u);
    EXPECT_EQ(fixed.Read()[0].rows, 1);
  }
}

TEST_F(WarmUpTest, SizesTheModelRefusesAreLeftOut) {
  largest = 5;
  WarmUp(OneInput(), executor, clock, {true, 32, kForEver}, cost);
  EXPECT_EQ(cost.Read().size(), 3u);
  EXPECT_EQ(sizes.back(), 8);
}

TEST_F(WarmUpTest, InputsThatAreTooLargeToMakeUpAreNotMeasured) {
  WarmUp(OneInput({-1, 1 << 24}), executor, clock, {true, 2, kForEver}, cost);
  EXPECT_TRUE(cost.empty());
  EXPECT_TRUE(sizes.empty());
}

// A model on a device of `cores` cores: as many runs as that share the two milliseconds of one. Time
// passes only once all workers of a trial are there, each with a handle. `trials` are their numbers, one trial after
// another.
class Scaling final : public Executor {
 public:
  Scaling(FakeClock& clock, uint32_t cores, std::vector<uint32_t> trials)
      : clock_(clock), cores_(cores), trials_(std::move(trials)) {}

  // Returns whether there was every trial.
  bool Done() const { return trial_ == trials_.size(); }

  std::unique_ptr<RunHandle> NewHandle() override {
    const std::lock_guard lock(mutex_);
    if (handles_ == last_) {
      workers_ = trials_.at(trial_++);
      last_ += workers_;
    }
    ++handles_;
    arrived_.notify_all();
    return std::make_unique<test::FakeHandle>();
  }

  Status Run(std::span<const TensorView>, RunHandle&, OutputRef& outputs) override {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return handles_ == last_; });
    clock_.Advance(2'000'000 / std::min(workers_, cores_));
    outputs = std::make_shared<OwnedOutputs>();
    return {};
  }

 private:
  FakeClock& clock_;
  const uint32_t cores_;
  const std::vector<uint32_t> trials_;
  size_t trial_ = 0;  // guarded by mutex_
  std::mutex mutex_;
  std::condition_variable arrived_;
  uint32_t workers_ = 0;    // of the present trial; guarded by mutex_
  uint32_t handles_ = 0;  // made so far; likewise
  uint32_t last_ = 0;     // handles there are once the trial begins; likewise
};

// Buckets of 4 and 64 elements a row.
class WarmUpBucketsTest : public WarmUpTest {
 protected:
  void WarmUp(Nanos budget) {
    WarmUpBuckets(signature, executor, clock, {true, 4, budget, &plan}, costs);
  }
  std::vector<double> Measured(size_t bucket) const {
    std::vector<double> rows;
    for (const CostModel::Point& point : costs[bucket].Read()) rows.push_back(point.rows);
    return rows;
  }

  Signature signature = {{{"x", ElementType::kFloat32, {-1, -1}, {"N", "L"}}},
                         {{"y", ElementType::kFloat32, {-1, -1}, {"N", "L"}}}};
  AxisSpec axis{"L", {4, 64}, {}, {}, {}, {}};
  ShapePlan plan = test::Planned(signature, {axis});
  std::array<CostModel, 2> costs;
};

TEST_F(WarmUpBucketsTest, EveryBucketIsMeasured) {
  WarmUp(kForEver);
  for (const size_t bucket : {0, 1}) EXPECT_EQ(Measured(bucket), (std::vector<double>{1, 2, 4}));
}

TEST_F(WarmUpBucketsTest, EveryBucketRunsEvenIfTheBudgetIsSpent) {
  WarmUp(1);
  for (const size_t bucket : {0, 1}) EXPECT_EQ(Measured(bucket), (std::vector<double>{1}));
  EXPECT_EQ(sizes.size(), 2u) << "once each";
}

TEST_F(WarmUpBucketsTest, TheFirstBucketLeavesTimeForTheNext) {
  WarmUp(20 * CostOf(1));
  EXPECT_GT(Measured(1).size(), 1u);
}

TEST_F(WarmUpBucketsTest, ABucketWithKnownCostsRunsOnce) {
  costs[0].Seed({1, 5, 5, 1});
  WarmUp(kForEver);
  EXPECT_EQ(costs[0].Mean(1), 5);
  EXPECT_EQ(Measured(1), (std::vector<double>{1, 2, 4}));
  EXPECT_EQ(sizes.front(), 1);
  EXPECT_EQ(sizes[1], 1) << "the other bucket's";
}

TEST_F(WarmUpBucketsTest, OnlySizesThatRunAreMeasured) {
  plan.row_sizes = {2, 4};
  WarmUp(kForEver);
  for (const size_t bucket : {0, 1}) EXPECT_EQ(Measured(bucket), (std::vector<double>{2, 4}));
}

TEST_F(WarmUpBucketsTest, NoSizeIsBeyondTheElementsOfABatch) {
  plan.max_elements = 128;
  WarmUp(kForEver);
  EXPECT_EQ(Measured(0), (std::vector<double>{1, 2, 4}));
  EXPECT_EQ(Measured(1), (std::vector<double>{1, 2}));
}

TEST(ChooseWorkers, AddsWorkersWhileTheyRaiseThroughput) {
  struct Case {
    uint32_t cores, limit, workers;
    std::vector<uint32_t> trials;
  };
  for (const auto& [cores, limit, workers, trials] : std::vector<Case>{{1, 4, 1, {1, 2, 2}},
                                                                       {2, 4, 2, {1, 2, 3, 3}},
                                                                       {3, 8, 3, {1, 2, 3, 4, 4}},
                                                                       {8, 3, 3, {1, 2, 3}}}) {
    FakeClock clock;
    Scaling executor(clock, cores, trials);
    EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, kFourRows, kShort, {limit, 9}), workers)
        << cores;
    EXPECT_TRUE(executor.Done());
  }
}

TEST(ChooseWorkers, WorkersOfLongRowsUseTheCoresOfJavaScriptToo) {
  const WarmupOptions one_row{true, 1, 0};
  FakeClock clock;
  Scaling executor(clock, 4, {1, 2, 3, 4});
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, one_row, kLong, {1, 4}), 4u);
  EXPECT_TRUE(executor.Done());
  // A run of one row takes two milliseconds, and so does one of four, so that a row in a batch is short.
  Scaling batched(clock, 4, {1});
  EXPECT_EQ(ChooseWorkers(OneInput(), batched, clock, kFourRows, kLong, {1, 4}), 1u);
  EXPECT_TRUE(batched.Done());
}

TEST(ChooseWorkers, ATrialTakesFewerRowsIfTheyTakeLong) {
  FakeClock clock;
  // The one worker is enough, as its rows are short, so that there is no second thread.
  std::set<int64_t> sizes;
  FunctionExecutor executor([&](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    sizes.insert(inputs[0].shape.dims[0]);
    clock.Advance(100'000);
    return Double(inputs, outputs);
  });
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, {true, 64, 0}, 10'000'000, {1, 2}), 1u);
  EXPECT_EQ(sizes, std::set<int64_t>{2});
}

// Runs on the thread that made it, and runs out of memory on others.
class Exhausted final : public Executor {
 public:
  explicit Exhausted(FakeClock& clock) : clock_(clock) {}
  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<test::FakeHandle>(); }
  Status Run(std::span<const TensorView> inputs, RunHandle&, OutputRef& outputs) override {
    if (std::this_thread::get_id() != owner_) throw std::bad_alloc();
    clock_.Advance(1'000'000);
    auto block = std::make_shared<OwnedOutputs>();
    const Status status = Double(inputs, *block);
    outputs = std::move(block);
    return status;
  }

 private:
  FakeClock& clock_;
  const std::thread::id owner_ = std::this_thread::get_id();
};

TEST(ChooseWorkers, AWorkerThatRunsOutOfMemoryAddsNothing) {
  FakeClock clock;
  Exhausted executor(clock);
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, kFourRows, kShort, {4, 4}), 1u);
}

TEST(ChooseWorkers, NothingIsMeasuredWithoutAChoice) {
  FunctionExecutor executor(Double);
  const SteadyClock clock;
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, kFourRows, kLong, {1, 1}), 1u);
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, clock, kFourRows, kShort, {1, 2}), 1u);
  EXPECT_EQ(executor.runs, 0u);
}

TEST(ChooseWorkers, AModelThatFailsGetsOneWorker) {
  FunctionExecutor executor([](auto, auto&) { return Status(Code::kInternal, "No"); });
  EXPECT_EQ(ChooseWorkers(OneInput(), executor, SteadyClock(), kFourRows, 0, {4, 4}), 1u);
}

TEST_F(WarmUpBucketsTest, ARowOfTheMiddleBucketIsTypical) {
  const WarmupOptions options{true, 4, 0, &plan};
  EXPECT_EQ(TypicalBucket(options), 1u);
  EXPECT_EQ(TypicalBucket({true, 4, 0}), 0u);
  std::vector<int64_t> lengths;
  FunctionExecutor by_length([&](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    lengths.push_back(inputs[0].shape.dims[1]);
    clock.Advance(1000 * lengths.back());
    return Double(inputs, outputs);
  });
  EXPECT_EQ(TimeOfOneRow(signature, by_length, clock, options, 1), 64'000);
  EXPECT_EQ(TimeOfOneRow(signature, by_length, clock, options, 0), 4000);
  EXPECT_EQ(lengths, (std::vector<int64_t>{64, 64, 4, 4}));
}

TEST(PreferThreads, ThreadsMayBeAFewPerCentSlower) {
  for (const auto& [threaded, preferred] :
       std::vector<std::pair<Nanos, bool>>{{500'000, true}, {1'040'000, true}, {1'100'000, false}}) {
    FakeClock clock;
    const auto taking = [&clock](Nanos time) {
      return [&clock, time](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
        clock.Advance(time);
        return Double(inputs, outputs);
      };
    };
    FunctionExecutor workers(taking(1'000'000));
    FunctionExecutor threads(taking(threaded));
    EXPECT_EQ(PreferThreads(OneInput(), workers, 1, threads, clock, kFourRows, kShort), preferred)
        << threaded;
  }
}

}  // namespace
}  // namespace millrace
