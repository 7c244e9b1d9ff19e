// Everything at once: producers, the generator's thread, streams, cancellations, deadlines, failing runs, refusals and
// Close, for as many operations as the environment variable STRESS_OPERATIONS says.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <thread>

#include "generation/generations.h"
#include "generation/generator.h"

namespace millrace {
namespace {

using test::FakeDecoder;
using test::FakeHandle;
using test::FakeRun;
using test::Outcome;

constexpr size_t kProducers = 4;
constexpr size_t kRecords = 16;  // of each producer
constexpr size_t kKinds = 24;
// A generation takes about as long as so many requests of a model that does next to nothing.
constexpr uint64_t kWeight = 20;

uint64_t Operations() {
  const char* const text = std::getenv("STRESS_OPERATIONS");
  return (text == nullptr ? 1'000'000 : std::strtoull(text, nullptr, 10)) / kWeight;
}

uint64_t Seed() {
  const char* const text = std::getenv("STRESS_SEED");
  return text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
}

// A prompt with options, and what becomes of it.
struct Kind {
  std::vector<int32_t> prompt;
  GenerationOptions options;
  Outcome outcome;
};

std::vector<Kind> KindsOf(const DecoderFacts& facts, std::mt19937_64& random) {
  std::vector<Kind> kinds(kKinds);
  for (Kind& kind : kinds) {
    const size_t length = 1 + random() % 12;
    for (size_t i = 0; i < length; ++i) kind.prompt.push_back(static_cast<int32_t>(random() % 32));
    kind.options.max_new_tokens = static_cast<int64_t>(1 + random() % 8);
    kind.options.decoder_start_token_id = 0;
    if (random() % 3 == 0) kind.options.num_beams = 3;
    kind.options.do_sample = kind.options.num_beams == 1 && random() % 2 == 0;
    kind.options.seed = random();
    if (random() % 2 == 0) kind.options.eos_token_ids = {1, 9};
    GenerationRequest request;
    request.prompt = kind.prompt;
    request.options = kind.options;
    FakeDecoder decoder(facts);
    kind.outcome = test::Alone(request, decoder);
  }
  return kinds;
}

struct Record {
  GenerationRequest request;
  const Kind* kind = nullptr;
  // The tokens that were shown. Used by the generator's thread between submission and Finish.
  size_t shown = 0;
  bool misled = false;
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
class Producer final : public GenerationSink {
 public:
  Producer(size_t index, uint64_t seed, const std::vector<Kind>& kinds)
      : kinds_(kinds), random_(seed + index), records_(kRecords) {
    for (Record& record : records_) {
      record.request.sink = this;
      record.request.slot = static_cast<uint32_t>(&record - records_.data());
      free_.push_back(&record);
    }
  }

  void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept override {
    Record& record = records_[request.slot];
    const auto& all = record.kind->outcome.tokens;
    if (!request.stream || record.shown + tokens.size() > all.size() ||
        !std::equal(tokens.begin(), tokens.end(), all.begin() + static_cast<std::ptrdiff_t>(record.shown))) {
      record.misled = true;
    }
    record.shown += tokens.size();
  }
  void Finish(GenerationRequest* request) noexcept override { done_.Push(request, request); }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}
  void Flush() noexcept override { flushes.fetch_add(1, std::memory_order_relaxed); }

  // Submits and collects until `operations` requests were accepted or the generator is closed.
  void Work(Generator& generator, uint64_t operations) {
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
      const Code code = generator.Submit(&record.request).code();
      if (code == Code::kOk) {
        ++tally.accepted;
        if (random_() % 8 == 0) CancelSomething();
        continue;
      }
      ++tally.refused;
      record.outstanding.store(0, std::memory_order_relaxed);
      free_.push_back(&record);
      if (code == Code::kFailedPrecondition) return;
      if (code != Code::kUnavailable) ++tally.wrong;
      std::this_thread::yield();
    }
  }

  // Checks what has come back.
  void Collect() {
    for (GenerationRequest* request = done_.TakeAll(); request != nullptr;) {
      GenerationRequest* const next = request->next;
      Check(records_[request->slot]);
      request = next;
    }
  }

  size_t in_use() const { return kRecords - free_.size(); }

  Tally tally;
  std::atomic<uint64_t> flushes{0};

 private:
  void Fill(Record& record) {
    GenerationRequest& request = record.request;
    record.kind = &kinds_[random_() % kKinds];
    record.shown = 0;
    record.misled = false;
    request.prompt = record.kind->prompt;
    request.options = record.kind->options;
    request.stream = random_() % 2 == 0;
    request.priority = static_cast<uint8_t>(random_() % 3);
    request.deadline =
        random_() % 8 == 0 ? clock_.Now() + static_cast<Nanos>(random_() % 300'000) : kNever;
    request.cancelled.store(false, std::memory_order_relaxed);
  }

  // As JavaScript does, at any time.
  void CancelSomething() {
    records_[random_() % kRecords].request.cancelled.store(true, std::memory_order_relaxed);
  }

  void Check(Record& record) {
    const GenerationRequest& request = record.request;
    const Outcome& expected = record.kind->outcome;
    if (record.outstanding.fetch_sub(1, std::memory_order_relaxed) != 1 || record.misled) ++tally.wrong;
    const bool streams = request.stream && request.options.num_beams == 1;
    if (streams && record.shown != request.tokens.size()) ++tally.wrong;
    switch (request.status.code()) {
      case Code::kOk:
        ++tally.completed;
        if (test::OutcomeOf(request) != expected) ++tally.wrong;
        break;
      case Code::kUnavailable:
        ++tally.failed;
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
    free_.push_back(&record);
  }

  SteadyClock clock_;
  const std::vector<Kind>& kinds_;
  std::mt19937_64 random_;
  std::vector<Record> records_;
  std::vector<Record*> free_;
  Inbox<GenerationRequest> done_;
};

DecoderFacts FactsOf(uint64_t seed) {
  DecoderFacts facts;
  facts.vocabulary = 32;
  facts.cache_bytes = 16;
  facts.encoder_decoder = seed % 2 == 0;
  facts.encoder_bytes = facts.encoder_decoder ? 8 : 0;
  facts.mixed_lengths = !facts.encoder_decoder && seed % 3 != 0;
  facts.chunks = facts.mixed_lengths;
  return facts;
}

// Adds up what the producers have seen, and compares it with the counters.
Tally SumOf(const std::vector<std::shared_ptr<Producer>>& producers, const GeneratorStats& stats) {
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
  EXPECT_EQ(sum.wrong, 0u);
  EXPECT_EQ(stats.submitted, sum.accepted);
  EXPECT_EQ(stats.rejected, sum.refused);
  EXPECT_EQ(stats.completed, sum.completed);
  EXPECT_EQ(stats.failed, sum.failed);
  EXPECT_EQ(stats.cancelled, sum.cancelled);
  EXPECT_EQ(stats.expired, sum.expired);
  EXPECT_EQ(stats.submitted, stats.completed + stats.failed + stats.cancelled + stats.expired);
  EXPECT_EQ(stats.queued + stats.running, 0u);
  EXPECT_EQ(stats.cache_bytes, 0);
  return sum;
}

// Runs one generator from the first request to the last outcome. With `close_early` it is closed while the producers
// are still at it.
Tally Round(uint64_t operations, uint64_t seed, bool close_early) {
  std::mt19937_64 random(seed);
  const DecoderFacts facts = FactsOf(seed);
  const std::vector<Kind> kinds = KindsOf(facts, random);
  FakeDecoder decoder(facts);
  decoder.on_run = [&random](const FakeRun&, FakeHandle&) {
    return random() % 256 == 0 ? Status(Code::kUnavailable, "A kernel failed") : Status();
  };
  SteadyClock clock;
  GeneratorOptions options;
  options.max_rows = 12;
  options.max_prefill_tokens = 16;
  options.max_queue = 40;  // less than all records, so that it is full at times
  options.cache_bytes = 8'000;
  options.run_limit = seed % 2 == 0 ? 1'000'000'000 : 0;
  auto generator = std::make_unique<Generator>(decoder, clock, options);

  std::vector<std::shared_ptr<Producer>> producers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kProducers; ++i) {
    producers.push_back(std::make_shared<Producer>(i, seed * kProducers, kinds));
    threads.emplace_back([&generator, operations, producer = producers.back().get()] {
      producer->Work(*generator, operations / kProducers);
    });
  }
  if (close_early) {
    while (generator->Stats().submitted < operations / 2) std::this_thread::yield();
    generator->Close();
  }
  for (std::thread& thread : threads) thread.join();
  generator->Close();

  const Tally sum = SumOf(producers, generator->Stats());
  EXPECT_EQ(decoder.faults, std::vector<std::string>());
  EXPECT_EQ(decoder.meter.bytes(), 0);
  EXPECT_LE(decoder.meter.peak(), options.cache_bytes);
  for (const auto& producer : producers) {
    EXPECT_EQ(producer->flushes.load(std::memory_order_relaxed) > 0, producer->tally.accepted > 0);
  }
  return sum;
}

void Print(const char* what, uint64_t seed, const Tally& tally) {
  std::cout << what << ": STRESS_SEED=" << seed << ", accepted " << tally.accepted << ", refused "
            << tally.refused << ", completed " << tally.completed << ", failed " << tally.failed
            << ", cancelled " << tally.cancelled << ", expired " << tally.expired << std::endl;
}

TEST(GenerationStress, EveryRequestFinishesExactlyOnceWithItsOwnTokens) {
  const uint64_t operations = Operations();
  const uint64_t seed = Seed();
  for (uint64_t part = 0; part < 3; ++part) {
    SCOPED_TRACE(seed + part);
    const Tally tally = Round(operations / 3, seed + part, false);
    Print("generation stress", seed + part, tally);
    EXPECT_EQ(tally.accepted, operations / 3 / kProducers * kProducers);
    EXPECT_GT(tally.completed, operations / 10);
    EXPECT_GT(tally.failed, 0u);
    EXPECT_GT(tally.cancelled, 0u);
  }
}

TEST(GenerationStress, CloseUnderLoadFinishesEveryRequest) {
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
