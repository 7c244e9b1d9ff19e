#include "generation/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "generation/generations.h"
#include "support/clock.h"

namespace millrace {
namespace {

using test::Alone;
using test::FakeClock;
using test::FakeDecoder;
using test::FakeHandle;
using test::FakeRun;
using test::GenerationCollector;
using test::Generations;
using test::OutcomeOf;

using Tokens = std::vector<int32_t>;

DecoderFacts DecoderOnly() {
  DecoderFacts facts;
  facts.mixed_lengths = true;
  facts.chunks = true;
  facts.vocabulary = 32;
  facts.max_positions = 1000;
  facts.cache_bytes = 10;
  return facts;
}

DecoderFacts EncoderDecoder() {
  DecoderFacts facts;
  facts.encoder_decoder = true;
  facts.vocabulary = 32;
  facts.max_encoder_positions = 1000;
  facts.cache_bytes = 10;
  facts.encoder_bytes = 6;
  return facts;
}

// A generator without threads, each of whose runs takes a millisecond.
class GeneratorTest : public testing::Test {
 protected:
  void Open(const DecoderFacts& facts, GeneratorOptions options = {}) {
    options.threads = false;
    decoder = std::make_unique<FakeDecoder>(facts);
    decoder->on_run = [this](const FakeRun& run, FakeHandle&) {
      runs.push_back(run);
      clock.Advance(1'000'000);
      if (during_run) during_run(runs.size() - 1);
      return std::exchange(next_status, {});
    };
    generator = std::make_unique<Generator>(*decoder, clock, options);
  }

  void Submit(GenerationRequest* request) {
    const Status status = generator->Submit(request);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  // Everything that there is to do.
  void Finish() {
    while (generator->Turn()) {
    }
    EXPECT_EQ(decoder->faults, std::vector<std::string>());
    EXPECT_EQ(decoder->meter.bytes(), 0);
    EXPECT_EQ(generator->Stats().cache_bytes, 0);
  }

  void ExpectAlone(const GenerationRequest& request) {
    EXPECT_TRUE(request.status.ok()) << request.status.message();
    FakeDecoder other(decoder->facts());
    EXPECT_EQ(OutcomeOf(request).tokens, Alone(request, other).tokens) << "request " << request.slot;
    EXPECT_EQ(request.finish, Alone(request, other).finish);
  }

  std::vector<size_t> RowsOfRuns() const {
    std::vector<size_t> rows;
    for (const FakeRun& run : runs) rows.push_back(run.rows.size());
    return rows;
  }

  FakeClock clock;
  std::unique_ptr<FakeDecoder> decoder;
  std::shared_ptr<GenerationCollector> sink = std::make_shared<GenerationCollector>();
  Generations requests{sink.get()};
  std::unique_ptr<Generator> generator;
  std::vector<FakeRun> runs;
  std::function<void(size_t)> during_run;
  Status next_status;
};

TEST_F(GeneratorTest, OneRequestIsAPrefillAndAStepForEachFurtherToken) {
  Open(DecoderOnly());
  GenerationRequest* const request = requests.Make(5, 4);
  Submit(request);
  Finish();
  ExpectAlone(*request);
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[0].tokens, 5);
  EXPECT_EQ(runs[3].tokens, 1);
  EXPECT_EQ(runs[3].rows[0].size(), 8u);
  EXPECT_EQ(request->tokens.size(), 4u);
  EXPECT_EQ(request->steps, 4u);
  EXPECT_EQ(request->batch_rows, 1);
  EXPECT_EQ(request->started - request->submitted, 0);
  EXPECT_EQ(request->prefilled - request->started, 1'000'000);
  EXPECT_EQ(request->finished - request->prefilled, 3'000'000);
}

TEST_F(GeneratorTest, AnEncoderRunsOnceAndTheDecoderStartsFromItsStartToken) {
  Open(EncoderDecoder());
  GenerationRequest* const request = requests.Make(5, 3);
  Submit(request);
  Finish();
  ExpectAlone(*request);
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_TRUE(runs[0].encoder);
  EXPECT_EQ(runs[1].rows[0], Tokens{0});
  EXPECT_EQ(request->encoder_runs, 1u);
  EXPECT_EQ(request->steps, 3u);
  // Nothing joined or left.
  EXPECT_EQ(generator->Stats().copies.reused, 3u);
}

TEST_F(GeneratorTest, RequestsShareTheirSteps) {
  for (const DecoderFacts& facts : {DecoderOnly(), EncoderDecoder()}) {
    runs.clear();
    Open(facts);
    for (int i = 0; i < 8; ++i) Submit(requests.Make(6, 10));
    Finish();
    EXPECT_EQ(runs.size(), facts.encoder_decoder ? 11u : 10u);
    for (const size_t rows : RowsOfRuns()) EXPECT_EQ(rows, 8u);
    for (size_t i = requests.size() - 8; i < requests.size(); ++i) {
      ExpectAlone(requests[i]);
      EXPECT_EQ(requests[i].batch_rows, 8);
      EXPECT_EQ(requests[i].batch_requests, 8u);
    }
  }
}

TEST_F(GeneratorTest, ALateRequestJoinsAfterTheStepInProgress) {
  Open(DecoderOnly());
  GenerationRequest* const first = requests.Make(4, 10);
  GenerationRequest* const late = requests.Make(6, 5);
  during_run = [&](size_t run) {
    if (run == 3) Submit(late);
  };
  Submit(first);
  Finish();
  EXPECT_EQ(runs[4].tokens, 6);
  EXPECT_EQ(runs[5].rows.size(), 2u);
  ExpectAlone(*first);
  ExpectAlone(*late);
}

TEST_F(GeneratorTest, TokensAreShownAsTheyAreMade) {
  Open(DecoderOnly());
  GenerationRequest* const streams = requests.Make(4, 6);
  GenerationRequest* const waits = requests.Make(4, 6);
  streams->stream = true;
  during_run = [&](size_t run) {
    EXPECT_EQ(sink->ShownOf(streams->slot).size(), run);
    EXPECT_EQ(sink->flushes(), run);
  };
  Submit(streams);
  Submit(waits);
  Finish();
  EXPECT_EQ(sink->ShownOf(streams->slot), streams->tokens);
  EXPECT_EQ(sink->ShownOf(waits->slot), Tokens());
  EXPECT_EQ(sink->flushes(), 6u);
}

TEST_F(GeneratorTest, BeamsAreRowsOfTheSameStep) {
  for (const DecoderFacts& facts : {DecoderOnly(), EncoderDecoder()}) {
    runs.clear();
    Open(facts);
    GenerationRequest* const beams = requests.Make(4, 12);
    beams->options.num_beams = 3;
    beams->options.eos_token_ids = {2, 9};
    beams->stream = true;
    GenerationRequest* const other = requests.Make(4, 12);
    Submit(beams);
    Submit(other);
    Finish();
    ExpectAlone(*beams);
    ExpectAlone(*other);
    EXPECT_FALSE(std::isnan(beams->score));
    EXPECT_TRUE(std::isnan(other->score));
    EXPECT_EQ(sink->ShownOf(beams->slot), Tokens());
    EXPECT_EQ(beams->batch_rows, 4);
    EXPECT_EQ(beams->batch_requests, 2u);
  }
}

TEST_F(GeneratorTest, AnEndIsNotAToken) {
  Open(DecoderOnly());
  GenerationRequest* const probe = requests.Make(4, 20);
  Submit(probe);
  Finish();
  GenerationRequest* const stops = requests.Make(4, 20);
  stops->prompt = probe->prompt;
  stops->stream = true;
  stops->options.eos_token_ids = {probe->tokens[7]};
  const size_t length = static_cast<size_t>(
      std::ranges::find(probe->tokens, probe->tokens[7]) - probe->tokens.begin());
  Submit(stops);
  Finish();
  EXPECT_EQ(stops->tokens, Tokens(probe->tokens.begin(), probe->tokens.begin() + static_cast<std::ptrdiff_t>(length)));
  EXPECT_EQ(stops->finish, FinishReason::kStop);
  EXPECT_EQ(sink->ShownOf(stops->slot), stops->tokens);

  GenerationRequest* const forced = requests.Make(4, 5);
  forced->options.eos_token_ids = {2};
  forced->options.min_new_tokens = 5;
  forced->options.forced_eos_token_id = 2;
  Submit(forced);
  Finish();
  EXPECT_EQ(forced->tokens.size(), 4u);
  EXPECT_EQ(forced->finish, FinishReason::kLength);
}

TEST_F(GeneratorTest, ALongPromptIsComputedInPartsBetweenTheStepsOfOthers) {
  GeneratorOptions options;
  options.max_prefill_tokens = 16;
  Open(DecoderOnly(), options);
  GenerationRequest* const runs_already = requests.Make(4, 12);
  GenerationRequest* const is_long = requests.Make(50, 3);
  during_run = [&](size_t run) {
    if (run == 1) Submit(is_long);
  };
  Submit(runs_already);
  Finish();
  std::vector<int64_t> tokens;
  for (const FakeRun& run : runs) tokens.push_back(run.tokens);
  EXPECT_EQ(tokens, (std::vector<int64_t>{4, 1, 16, 1, 16, 1, 16, 1, 2, 1, 1, 1, 1, 1, 1, 1}));
  ExpectAlone(*is_long);
  ExpectAlone(*runs_already);
}

TEST_F(GeneratorTest, WithoutChunksALongPromptHasAStepOfItsOwn) {
  DecoderFacts facts = DecoderOnly();
  facts.chunks = false;
  GeneratorOptions options;
  options.max_prefill_tokens = 16;
  Open(facts, options);
  for (int i = 0; i < 2; ++i) Submit(requests.Make(50, 3));
  Finish();
  EXPECT_EQ(runs[0].tokens, 50);
  EXPECT_EQ(runs[0].rows.size(), 1u);
  ExpectAlone(requests[0]);
  ExpectAlone(requests[1]);
}

TEST_F(GeneratorTest, WithoutMixedLengthsAShortRequestCatchesUp) {
  Open(EncoderDecoder());
  GenerationRequest* const first = requests.Make(4, 40);
  GenerationRequest* const late = requests.Make(6, 40);
  during_run = [&](size_t run) {
    if (run == 10) Submit(late);
  };
  Submit(first);
  Finish();
  ExpectAlone(*first);
  ExpectAlone(*late);
  const auto shared = std::ranges::count_if(runs, [](const FakeRun& run) { return run.rows.size() == 2; });
  EXPECT_GE(shared, 25);
}

TEST_F(GeneratorTest, ACancelledRequestLeavesBeforeTheNextStep) {
  Open(DecoderOnly());
  GenerationRequest* const cancelled = requests.Make(4, 100);
  GenerationRequest* const other = requests.Make(4, 10);
  during_run = [&](size_t run) {
    if (run == 4) cancelled->cancelled.store(true);
  };
  Submit(cancelled);
  Submit(other);
  Finish();
  EXPECT_EQ(cancelled->status.code(), Code::kCancelled);
  EXPECT_EQ(cancelled->tokens.size(), 5u);
  EXPECT_EQ(runs[4].rows.size(), 2u);
  EXPECT_EQ(runs[5].rows.size(), 1u);
  ExpectAlone(*other);
  EXPECT_EQ(generator->Stats().cancelled, 1u);
}

TEST_F(GeneratorTest, ADeadlineIsLookedAtBeforeEachStep) {
  Open(DecoderOnly());
  GenerationRequest* const late = requests.Make(4, 100);
  late->deadline = clock.Now() + 3'500'000;
  GenerationRequest* const never = requests.Make(4, 10);
  never->deadline = clock.Now();
  Submit(late);
  Submit(never);
  Finish();
  EXPECT_EQ(late->status.code(), Code::kDeadlineExceeded);
  EXPECT_NE(late->status.message(), never->status.message());
  EXPECT_EQ(late->tokens.size(), 4u);
  EXPECT_EQ(never->tokens.size(), 0u);
  EXPECT_EQ(never->steps, 0u);
  EXPECT_EQ(generator->Stats().expired, 2u);
}

TEST_F(GeneratorTest, AFailedStepFailsItsRequestsOnly) {
  Open(DecoderOnly());
  GenerationRequest* const first = requests.Make(4, 10);
  GenerationRequest* const second = requests.Make(5, 10);
  during_run = [&](size_t run) {
    if (run == 0) Submit(second);
    // The prefill of the second.
    if (run == 1) next_status = {Code::kInternal, "A kernel failed"};
  };
  Submit(first);
  Finish();
  EXPECT_EQ(second->status.message(), "A kernel failed");
  ExpectAlone(*first);
  Submit(requests.Make(3, 3));
  Finish();
  ExpectAlone(requests[2]);
  EXPECT_EQ(generator->Stats().failed, 1u);
  EXPECT_EQ(generator->Stats().completed, 2u);
}

TEST_F(GeneratorTest, AStepThatThrowsFailsItsRequests) {
  Open(DecoderOnly());
  const auto usual = decoder->on_run;
  decoder->on_run = [&](const FakeRun&, FakeHandle&) -> Status { throw std::bad_alloc(); };
  Submit(requests.Make(4, 10));
  Finish();
  EXPECT_EQ(requests[0].status.code(), Code::kResourceExhausted);
  decoder->on_run = usual;
  Submit(requests.Make(4, 10));
  Finish();
  ExpectAlone(requests[1]);
}

TEST_F(GeneratorTest, TheQueueIsBounded) {
  GeneratorOptions options;
  options.max_queue = 2;
  options.max_rows = 1;
  Open(DecoderOnly(), options);
  Submit(requests.Make(4, 2));
  Submit(requests.Make(4, 2));
  EXPECT_EQ(generator->Submit(requests.Make(4, 2)).code(), Code::kUnavailable);
  // The first starts, and its place is free.
  generator->Turn();
  EXPECT_EQ(generator->Submit(&requests[2]).code(), Code::kOk);
  EXPECT_EQ(generator->Submit(requests.Make(4, 2)).code(), Code::kUnavailable);
  EXPECT_EQ(generator->Stats().rejected, 2u);
  EXPECT_EQ(generator->Stats().queued, 2u);
  EXPECT_EQ(generator->Stats().running, 1u);
  Finish();
  EXPECT_EQ(generator->Stats().completed, 3u);
}

TEST_F(GeneratorTest, MoreUrgentRequestsStartFirstButNobodyWaitsForEver) {
  GeneratorOptions options;
  options.max_rows = 1;
  options.aging = 10'000'000;
  Open(DecoderOnly(), options);
  GenerationRequest* const patient = requests.Make(4, 2);
  patient->priority = 2;
  Submit(patient);
  during_run = [&](size_t) {
    if (requests.size() < 30) Submit(requests.Make(4, 2));
  };
  Submit(requests.Make(4, 2));
  Finish();
  const auto finished = sink->Await(30);
  const auto place = std::ranges::find(finished, patient) - finished.begin();
  // It is overtaken by those of the next 20 ms, which are 20 runs.
  EXPECT_GE(place, 10);
  EXPECT_LE(place, 22);
}

TEST_F(GeneratorTest, WhatCanNeverRunIsRefusedWithASentence) {
  DecoderFacts facts = DecoderOnly();
  facts.max_positions = 100;
  GeneratorOptions options;
  options.cache_bytes = 2 * 10 * 60;
  options.max_rows = 4;
  Open(facts, options);
  const auto refusal = [&](auto change) {
    GenerationRequest* const request = requests.Make(4, 2);
    change(*request);
    const Status status = generator->Submit(request);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_EQ(refusal([](auto& request) { request.prompt.clear(); }),
            "The input is empty: send at least one token");
  EXPECT_EQ(refusal([](auto& request) { request.prompt[2] = 32; }),
            "Token 2 of the input must be from 0 to 31 but is 32");
  EXPECT_EQ(refusal([](auto& request) { request.prompt[0] = -1; }),
            "Token 0 of the input must be from 0 to 31 but is -1");
  EXPECT_EQ(refusal([](auto& request) { request.options.max_new_tokens = 97; }),
            "The input and 'maxNewTokens' are 101 tokens together, but the model takes at most 100: "
            "lower one of them");
  EXPECT_EQ(refusal([](auto& request) { request.options.max_new_tokens = 58; }),
            "The request may need more memory for keys and values than the 1200 bytes of the model: "
            "shorten the input, or lower 'maxNewTokens' or 'numBeams'");
  EXPECT_EQ(refusal([](auto& request) { request.options.num_beams = 5; }),
            "'numBeams' must be at most 4 for this model but is 5");
  EXPECT_EQ(refusal([](auto& request) { request.options.temperature = 0; }),
            "'temperature' must be a number above 0 but is 0");
  GenerationRequest* const most = requests.Make(4, 57);
  Submit(most);
  Finish();
  ExpectAlone(*most);
  EXPECT_EQ(generator->Stats().cache_bytes_peak, 1200);
}

TEST_F(GeneratorTest, AnEncoderHasItsOwnLimits) {
  DecoderFacts facts = EncoderDecoder();
  facts.max_encoder_positions = 10;
  facts.max_positions = 8;
  Open(facts);
  EXPECT_EQ(generator->Submit(requests.Make(11, 2)).message(),
            "The input has 11 tokens, but the encoder takes at most 10: shorten it");
  EXPECT_EQ(generator->Submit(requests.Make(10, 8)).message(),
            "'maxNewTokens' must be at most 7 for this model but is 8");
  GenerationRequest* const request = requests.Make(10, 7);
  request->options.decoder_start_token_id = -1;
  EXPECT_EQ(generator->Submit(request).code(), Code::kInvalidArgument);
  request->options.decoder_start_token_id = 3;
  Submit(request);
  Finish();
  ExpectAlone(*request);
}

TEST_F(GeneratorTest, RequestsWaitForMemoryInOrder) {
  GeneratorOptions options;
  // Two sequences of 10 tokens, twice.
  options.cache_bytes = 2 * 2 * 10 * 10;
  Open(DecoderOnly(), options);
  for (int i = 0; i < 5; ++i) Submit(requests.Make(4, 7));
  Finish();
  for (const size_t rows : RowsOfRuns()) EXPECT_LE(rows, 2u);
  for (size_t i = 0; i < 5; ++i) {
    ExpectAlone(requests[i]);
    EXPECT_EQ(sink->Await(5)[i], &requests[i]);
  }
  EXPECT_LE(decoder->meter.peak(), options.cache_bytes);
  EXPECT_EQ(generator->Stats().cache_bytes_peak, options.cache_bytes);
}

TEST_F(GeneratorTest, MemoryIsCountedUntilItIsFree) {
  GeneratorOptions options;
  options.cache_bytes = 2 * (10 * 12 + 6 * 4) * 2;
  Open(EncoderDecoder(), options);
  GenerationRequest* const cancelled = requests.Make(4, 12);
  GenerationRequest* const goes_on = requests.Make(4, 12);
  GenerationRequest* const waits = requests.Make(4, 12);
  during_run = [&](size_t run) {
    if (run == 3) cancelled->cancelled.store(true);
  };
  Submit(cancelled);
  Submit(goes_on);
  Submit(waits);
  Finish();
  // The rows of run 3 hold those of the cancelled request until run 4 has copied the other one.
  EXPECT_EQ(RowsOfRuns()[3], 2u);
  EXPECT_EQ(RowsOfRuns()[4], 1u);
  EXPECT_TRUE(runs[5].encoder);
  EXPECT_LE(decoder->meter.peak(), options.cache_bytes);
  ExpectAlone(*goes_on);
  ExpectAlone(*waits);
}

TEST_F(GeneratorTest, StatisticsSayWhatHappened) {
  Open(DecoderOnly());
  Submit(requests.Make(4, 3));
  Submit(requests.Make(6, 3));
  Finish();
  const GeneratorStats stats = generator->Stats();
  EXPECT_EQ(stats.submitted, 2u);
  EXPECT_EQ(stats.completed, 2u);
  EXPECT_EQ(stats.queued + stats.running, 0u);
  EXPECT_EQ(stats.tokens, 6u);
  EXPECT_EQ(stats.prompt_tokens, 10u);
  EXPECT_EQ(stats.steps, 4u);
  EXPECT_EQ(stats.rows, 6u);
  EXPECT_EQ(stats.compute.count, 4u);
  EXPECT_EQ(stats.queue.count, 2u);
  EXPECT_EQ(stats.completed_runs.count, 2u);
  // The prompts have a step each, and each request has two further tokens.
  EXPECT_EQ(stats.completed_runs.parts.compute, 4'000'000 + 3'000'000);
  ASSERT_EQ(stats.sizes.size(), 2u);
  EXPECT_EQ(stats.sizes[0].runs.count, 2u);
  EXPECT_EQ(stats.sizes[1].rows, 2);
  EXPECT_EQ(stats.copies.steps, 4u);
}

TEST_F(GeneratorTest, TheExpectedWaitIsThatOfTheRequestsAhead) {
  GeneratorOptions options;
  options.max_rows = 1;
  Open(DecoderOnly(), options);
  EXPECT_EQ(generator->ExpectedWait(), 0);
  Submit(requests.Make(4, 3));
  Finish();
  for (int i = 0; i < 4; ++i) Submit(requests.Make(4, 3));
  generator->Turn();
  // Three wait behind one that runs, and each takes 3 ms.
  EXPECT_EQ(generator->ExpectedWait(), 9'000'000);
  EXPECT_EQ(generator->Stats().expected_wait, 9'000'000);
  Finish();
}

TEST_F(GeneratorTest, ADecoderThatKeepsABlockDoesNotHoldBackTheNextRequest) {
  GeneratorOptions options;
  options.cache_bytes = 2 * 10 * 6;
  Open(DecoderOnly(), options);
  std::vector<std::shared_ptr<const CacheBlock>> kept;
  decoder->on_block = [&](const auto& block) { kept.push_back(block); };
  Submit(requests.Make(4, 3));
  Submit(requests.Make(4, 3));
  while (generator->Turn()) {
  }
  EXPECT_EQ(generator->Stats().completed, 2u);
  EXPECT_EQ(generator->Stats().cache_bytes, 0);
}

TEST_F(GeneratorTest, OptionsThatForbidEveryTokenFailTheRequest) {
  Open(DecoderOnly());
  GenerationRequest* const request = requests.Make(4, 10);
  request->options.suppress_tokens.resize(32);
  std::iota(request->options.suppress_tokens.begin(), request->options.suppress_tokens.end(), 0);
  Submit(request);
  Finish();
  EXPECT_EQ(request->status.code(), Code::kInvalidArgument);
}

TEST_F(GeneratorTest, ASeedNamesTheTokens) {
  Open(DecoderOnly());
  for (int i = 0; i < 4; ++i) {
    GenerationRequest* const request = requests.Make(4, 30);
    request->prompt = requests[0].prompt;
    request->options.do_sample = true;
    request->options.temperature = 3;
    if (i < 2) request->options.seed = 7;
    if (i == 2) request->options.seed = 8;
    Submit(request);
  }
  Finish();
  EXPECT_EQ(requests[0].tokens, requests[1].tokens);
  EXPECT_NE(requests[0].tokens, requests[2].tokens);
  EXPECT_NE(requests[0].tokens, requests[3].tokens);
}

}  // namespace
}  // namespace millrace
