// Everything at once: producers, workers, cancellations, deadlines, refusals and Close, for as many
// operations as the environment variable STRESS_OPERATIONS says.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <random>
#include <thread>

#include "batching/batcher.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::OwnedOutputs;

constexpr size_t kProducers = 4;
constexpr uint32_t kWorkers = 2;
constexpr size_t kRecords = 64;  // of each producer
constexpr int64_t kMaxRows = 16;

uint64_t Operations() {
  const char* const text = std::getenv("STRESS_OPERATIONS");
  return text == nullptr ? 1'000'000 : std::strtoull(text, nullptr, 10);
}

uint64_t Seed() {
  const char* const text = std::getenv("STRESS_SEED");
  return text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
}

// What row `row` of request `id` holds, so that a row in the wrong place is seen. Exact in a double.
double RowOf(uint64_t id, int64_t row) {
  return static_cast<double>(id * 64 + static_cast<uint64_t>(row));
}

double OutputFor(double row) { return -row; }

// Negates every number, fails on one that is not a number: the poison of the test.
Status Negate(std::span<const TensorView> inputs, OwnedOutputs& outputs) {
  auto values = test::ValuesOf<double>(inputs[0]);
  for (double& value : values) {
    if (std::isnan(value)) return {Code::kInvalidArgument, "Poison"};
    value = OutputFor(value);
  }
  outputs.Add(ElementType::kFloat64, inputs[0].shape, values);
  return {};
}

class NegateExecutor final : public Executor {
 public:
  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<test::FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle&, OutputRef& outputs) override {
    auto block = std::make_shared<OwnedOutputs>();
    const Status status = Negate(inputs, *block);
    outputs = std::move(block);
    return status;
  }
};

// One request record and what is expected of its present use.
struct Record {
  Request request;
  uint64_t id = 0;
  bool poisoned = false;
  // Uses of the record that were accepted and not yet delivered: 0 or 1.
  std::atomic<int> outstanding{0};
};

struct Tally {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t expired = 0;
  uint64_t wrong = 0;
};

// A thread that submits, and the sink of its requests.
class Producer final : public CompletionSink {
 public:
  Producer(size_t index, uint64_t seed)
      : random_(seed + index), next_id_((uint64_t{index} << 40) + 1), records_(kRecords) {
    for (Record& record : records_) {
      record.request.sink = this;
      record.request.slot = static_cast<uint32_t>(&record - records_.data());
      free_.push_back(&record);
    }
  }

  void Finish(Request* newest, Request* oldest) noexcept override { done_.Push(newest, oldest); }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}

  // Submits and collects until `operations` requests were accepted or the batcher is closed.
  void Work(Batcher& batcher, uint64_t operations) {
    while (tally.accepted < operations) {
      Collect();
      while (free_.empty()) {
        std::this_thread::yield();
        Collect();
      }
      Record& record = *free_.back();
      free_.pop_back();
      Fill(record);
      record.outstanding.store(1, std::memory_order_relaxed);
      const Code code = batcher.Submit(&record.request);
      if (code == Code::kOk) {
        ++tally.accepted;
        if (random_() % 16 == 0) CancelSomething();
        continue;
      }
      ++tally.refused;
      record.outstanding.store(0, std::memory_order_relaxed);
      free_.push_back(&record);
      if (code == Code::kFailedPrecondition) return;
      std::this_thread::yield();
    }
  }

  // Checks what has come back.
  void Collect() {
    for (Request* request = done_.TakeAll(); request != nullptr;) {
      Request* const next = request->next;
      Check(records_[request->slot]);
      request = next;
    }
  }

  size_t in_use() const { return kRecords - free_.size(); }

  Tally tally;

 private:
  void Fill(Record& record) {
    Request& request = record.request;
    record.id = next_id_++;
    record.poisoned = random_() % 512 == 0;
    const auto rows = static_cast<int64_t>(random_() % 4);
    std::vector<double> values(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) values[static_cast<size_t>(i)] = RowOf(record.id, i);
    if (rows == 0) record.poisoned = false;
    if (record.poisoned) values[0] = std::numeric_limits<double>::quiet_NaN();
    test::SetInput(request, 0, ElementType::kFloat64, test::MakeShape({rows, 1}), values);
    request.rows = rows;
    request.priority = static_cast<uint8_t>(random_() % 3);
    request.deadline =
        random_() % 8 == 0 ? clock_.Now() + static_cast<Nanos>(random_() % 50'000) : kNever;
    request.status = {Code::kInternal, "Never delivered"};
    request.outputs.reset();
    request.cancelled.store(false, std::memory_order_relaxed);
    request.borrow.Reset(random_() % 4 == 0);
  }

  // As JavaScript does, at any time.
  void CancelSomething() {
    records_[random_() % kRecords].request.cancelled.store(true, std::memory_order_relaxed);
  }

  void Check(Record& record) {
    const Request& request = record.request;
    if (record.outstanding.fetch_sub(1, std::memory_order_relaxed) != 1) ++tally.wrong;
    switch (request.status.code()) {
      case Code::kOk:
        ++tally.completed;
        if (record.poisoned || !HasItsOwnRows(record)) ++tally.wrong;
        break;
      case Code::kInvalidArgument:
        ++tally.failed;
        if (!record.poisoned || request.status.message() != "Poison") ++tally.wrong;
        break;
      case Code::kCancelled:
        ++tally.cancelled;
        break;
      case Code::kDeadlineExceeded:
        ++tally.expired;
        if (request.deadline == kNever) ++tally.wrong;
        break;
      default:
        ++tally.wrong;
    }
    record.request.outputs.reset();
    free_.push_back(&record);
  }

  static bool HasItsOwnRows(const Record& record) {
    const Request& request = record.request;
    const auto values = test::ValuesOf<double>(request.outputs->tensors[0]);
    const int64_t rows = request.shared ? request.batch_rows : request.rows;
    if (static_cast<int64_t>(values.size()) != rows || rows > kMaxRows) return false;
    for (int64_t i = 0; i < request.rows; ++i) {
      const double own = values[static_cast<size_t>(request.first_row + i)];
      if (own != OutputFor(RowOf(record.id, i))) return false;
    }
    return true;
  }

  SteadyClock clock_;
  std::mt19937_64 random_;
  uint64_t next_id_;
  std::vector<Record> records_;
  std::vector<Record*> free_;
  Inbox<Request> done_;
};

// Runs one batcher from the first request to the last response. With `close_early` it is closed while
// the producers are still at it.
Tally Round(uint64_t operations, uint64_t seed, bool close_early) {
  NegateExecutor executor;
  SteadyClock clock;
  BatcherOptions options;
  options.pending.batched = true;
  options.policy.max_rows = kMaxRows;
  options.policy.kind = static_cast<PolicyKind>(seed % 3);
  options.policy.max_delay = 20'000;
  options.run_limit = seed % 2 == 0 ? 1'000'000'000 : 0;
  options.spin = seed % 3 == 0 ? 10'000 : 0;
  options.workers = kWorkers;
  options.max_queue = 200;  // less than all records, so that it is full at times
  auto batcher = std::make_unique<Batcher>(executor, clock, options);

  std::vector<std::shared_ptr<Producer>> producers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kProducers; ++i) {
    producers.push_back(std::make_shared<Producer>(i, seed * kProducers));
    threads.emplace_back([&batcher, operations, producer = producers.back().get()] {
      producer->Work(*batcher, operations / kProducers);
    });
  }
  if (close_early) {
    while (batcher->Stats().submitted < operations / 2) std::this_thread::yield();
    batcher->Close();
  }
  for (std::thread& thread : threads) thread.join();
  batcher->Close();

  Tally sum;
  for (const auto& producer : producers) {
    producer->Collect();
    EXPECT_EQ(producer->in_use(), 0u) << "a request was accepted and never delivered";
    const Tally& own = producer->tally;
    sum.accepted += own.accepted;
    sum.refused += own.refused;
    sum.completed += own.completed;
    sum.failed += own.failed;
    sum.cancelled += own.cancelled;
    sum.expired += own.expired;
    sum.wrong += own.wrong;
  }
  const BatcherStats stats = batcher->Stats();
  EXPECT_EQ(sum.wrong, 0u);
  EXPECT_EQ(stats.submitted, sum.accepted);
  EXPECT_EQ(stats.rejected, sum.refused);
  EXPECT_EQ(stats.completed, sum.completed);
  EXPECT_EQ(stats.failed, sum.failed);
  EXPECT_EQ(stats.cancelled, sum.cancelled);
  EXPECT_EQ(stats.expired, sum.expired);
  EXPECT_EQ(stats.submitted, stats.completed + stats.failed + stats.cancelled + stats.expired);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.running, 0u);
  return sum;
}

void Print(const char* what, uint64_t seed, const Tally& tally) {
  std::cout << what << ": STRESS_SEED=" << seed << ", accepted " << tally.accepted << ", refused "
            << tally.refused << ", completed " << tally.completed << ", failed " << tally.failed
            << ", cancelled " << tally.cancelled << ", expired " << tally.expired << std::endl;
}

TEST(Stress, EveryRequestFinishesExactlyOnceWithItsOwnRows) {
  const uint64_t operations = Operations();
  const uint64_t seed = Seed();
  const Tally tally = Round(operations, seed, false);
  Print("stress", seed, tally);
  EXPECT_EQ(tally.accepted, operations / kProducers * kProducers);
  EXPECT_GT(tally.completed, operations / 10);
  EXPECT_GT(tally.failed, 0u);
  EXPECT_GT(tally.cancelled, 0u);
}

TEST(Stress, CloseUnderLoadFinishesEveryRequest) {
  const uint64_t seed = Seed();
  constexpr int kRounds = 40;
  Tally last;
  for (uint64_t round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(seed + round);
    last = Round(Operations() / kRounds / 2, seed + round, true);
    EXPECT_GT(last.accepted, 0u);
  }
  Print("the last of the rounds that end early", seed, last);
}

}  // namespace
}  // namespace millrace
