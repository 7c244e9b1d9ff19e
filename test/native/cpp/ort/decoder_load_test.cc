// What a load finds out about a decoder, and decoders with unusual inputs.
#include "ort/decoder_load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "support/decoder_model.h"

namespace millrace {
namespace {

using test::GreedySearch;
using test::GreedySequence;

std::string DecoderPath(const std::string& name) { return MILLRACE_TEST_DECODERS + name + ".onnx"; }

class DecoderLoadTest : public testing::Test {
 protected:
  Status Load(const std::string& name) {
    DecoderOptions options;
    options.decoder.path = DecoderPath(name);
    return LoadDecoder(test::TestLibrary(), options, decoder);
  }
  bool Notes(const std::string& part) const {
    for (const std::string& note : decoder->report().notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }
  const DecoderFacts& facts() const { return decoder->facts(); }
  static GreedySequence Sequence(std::vector<int32_t> prompt) {
    GreedySequence sequence;
    sequence.read = std::move(prompt);
    sequence.end = -1;
    sequence.most = 8;
    return sequence;
  }

  std::unique_ptr<LoadedDecoder> decoder;
};

TEST_F(DecoderLoadTest, WhatTheTrialShowsIsAFact) {
  const struct {
    const char* name;
    bool chunks;
    bool mixed_lengths;
    const char* note;
  } cases[] = {{"plain", true, true, ""},
               {"half", true, true, ""},
               {"rare", true, true, ""},
               {"unmasked", true, true, ""},
               {"counts", true, true, ""},
               {"no-softmax", true, false, "the decoder has no input 'attention_mask'"},
               {"odd-positions", true, false, "logits differ with padding"},
               {"one-token", false, true, "A prompt is computed in one run"},
               {"quantized", true, true, "change each other's logits"}};
  for (const auto& [name, chunks, mixed_lengths, note] : cases) {
    const Status status = Load(name);
    ASSERT_TRUE(status.ok()) << name << ": " << status.message();
    EXPECT_EQ(facts().chunks, chunks) << name;
    EXPECT_EQ(facts().mixed_lengths, mixed_lengths) << name;
    EXPECT_EQ(decoder->report().notes.size(), *note == '\0' ? 0u : 1u) << name;
    EXPECT_TRUE(*note == '\0' || Notes(note)) << name;
    EXPECT_EQ(facts().vocabulary, 20);
    EXPECT_EQ(decoder->copies().steps, 0u) << "those of the trial do not count";
  }
}

// Two sequences of different lengths, together where that is possible, have the tokens that each has alone.
TEST_F(DecoderLoadTest, UnusualInputsAndTypesChangeNoTokens) {
  for (const char* name : {"plain", "half", "rare", "one-token", "unmasked", "counts"}) {
    ASSERT_TRUE(Load(name).ok());
    GreedySearch search(*decoder);
    std::vector<GreedySequence> alone{Sequence({3, 1, 4, 1, 5}), Sequence({9, 2})};
    std::vector<GreedySequence> together = alone;
    for (GreedySequence& sequence : alone) {
      ASSERT_TRUE(search.Finish(sequence).ok());
    }
    for (GreedySequence& sequence : together) {
      ASSERT_TRUE(search.Step({&sequence}, sequence.left()).ok());
    }
    while (!together[0].done()) {
      ASSERT_TRUE(search.Step({&together[0], &together[1]}, 1).ok());
    }
    EXPECT_EQ(together[0].tokens, alone[0].tokens) << name;
    EXPECT_EQ(together[1].tokens, alone[1].tokens) << name;
  }
}

TEST_F(DecoderLoadTest, HalfPrecisionLogitsAreWidened) {
  ASSERT_TRUE(Load("half").ok());
  EXPECT_EQ(facts().cache_bytes, 2 * 2 * 4 * 2) << "key and value, heads, size, bytes";
  GreedySearch search(*decoder);
  GreedySequence sequence = Sequence({3, 1, 4});
  ASSERT_TRUE(search.Step({&sequence}, 3).ok());
  std::vector<float> half(search.logits.begin(), search.logits.end());
  ASSERT_TRUE(Load("plain").ok());
  GreedySearch plain(*decoder);
  sequence = Sequence({3, 1, 4});
  ASSERT_TRUE(plain.Step({&sequence}, 3).ok());
  ASSERT_EQ(half.size(), plain.logits.size());
  for (size_t i = 0; i < half.size(); ++i) EXPECT_NEAR(half[i], plain.logits[i], 0.05F) << i;
}

TEST_F(DecoderLoadTest, PaddingThatAllRowsShareIsDropped) {
  ASSERT_TRUE(Load("plain").ok());
  GreedySearch search(*decoder);
  GreedySequence long_one = Sequence({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  GreedySequence short_one = Sequence({1, 2});
  GreedySequence other = Sequence({3, 4, 5});
  for (GreedySequence* sequence : {&long_one, &short_one, &other}) {
    ASSERT_TRUE(search.Step({sequence}, sequence->left()).ok());
  }
  ASSERT_TRUE(search.Step({&short_one, &other, &long_one}, 1).ok());
  EXPECT_EQ(short_one.cache.block->bytes(), 3 * 11 * facts().cache_bytes);
  EXPECT_EQ(short_one.cache.length, 3);
  // The longest one has left, and rows 0 and 1 are as they were: but they have padding in common.
  const uint64_t before = decoder->copies().gathered_bytes;
  ASSERT_TRUE(search.Step({&short_one, &other}, 1).ok());
  EXPECT_EQ(short_one.cache.block->bytes(), 2 * 5 * facts().cache_bytes);
  EXPECT_EQ(decoder->copies().gathered_bytes - before, static_cast<uint64_t>(2 * 4 * facts().cache_bytes));
}

TEST_F(DecoderLoadTest, MistakesOfACallerAreErrors) {
  ASSERT_TRUE(Load("no-softmax").ok());
  GreedySearch search(*decoder);
  GreedySequence a = Sequence({1, 2, 3});
  GreedySequence b = Sequence({1, 2});
  EXPECT_EQ(search.Step({}, 1).code(), Code::kInternal);
  ASSERT_TRUE(search.Step({&a}, 3).ok());
  ASSERT_TRUE(search.Step({&b}, 2).ok());
  EXPECT_EQ(search.Step({&a, &b}, 1).code(), Code::kInternal) << "different lengths";
  a = Sequence({1, 2, 3});
  ASSERT_TRUE(search.Step({&a}, 3).ok());
  a.cache.row = 1;
  EXPECT_EQ(search.Step({&a}, 1).code(), Code::kInternal) << "no such row";
  a = Sequence({1, 2, 3});
  EXPECT_EQ(search.Step({&a}, 0).code(), Code::kInternal) << "no token";
  EXPECT_EQ(search.Step({&a}, 3).code(), Code::kOk);
}

// A position beyond the table is refused by the graph, and the next step works.
TEST_F(DecoderLoadTest, ARunThatFailsCanBeFollowedByAnother) {
  ASSERT_TRUE(Load("plain").ok());
  GreedySearch search(*decoder);
  GreedySequence endless = Sequence(std::vector<int32_t>(41, 1));
  const Status status = search.Step({&endless}, 41);
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.message();
  GreedySequence sequence = Sequence({1, 2, 3});
  EXPECT_TRUE(search.Finish(sequence).ok());
}

TEST_F(DecoderLoadTest, ARunCanBeTerminated) {
  const DecoderOptions options = test::OptionsFor("llama");
  ASSERT_TRUE(LoadDecoder(test::TestLibrary(), options, decoder).ok());
  GreedySearch search(*decoder);
  std::atomic<bool> done{false};
  std::thread ending([&] {
    while (!done.load()) search.handle().Terminate();
  });
  Status status;
  for (int i = 0; i < 10'000 && status.ok(); ++i) {
    GreedySequence sequence = Sequence(std::vector<int32_t>(50, 1));
    status = search.Step({&sequence}, 50);
  }
  done = true;
  ending.join();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded) << status.message();
  GreedySequence sequence = Sequence({1, 2, 3});
  EXPECT_TRUE(search.Finish(sequence).ok());
}

TEST_F(DecoderLoadTest, GraphsInMemoryAreLoadedToo) {
  std::ifstream file(DecoderPath("plain"), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  DecoderOptions options;
  options.decoder.bytes = bytes;
  options.max_positions = 40;
  ASSERT_TRUE(LoadDecoder(test::TestLibrary(), options, decoder).ok());
  EXPECT_EQ(facts().max_positions, 40);
}

TEST_F(DecoderLoadTest, WhatCannotBeLoadedIsRefused) {
  EXPECT_EQ(Load("missing").code(), Code::kInvalidArgument);
  DecoderOptions options;
  options.decoder.path = test::ModelPath("poison");
  const Status status = LoadDecoder(test::TestLibrary(), options, decoder);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "Input 'x' of the decoder is unknown: it is none of the inputs that optimum and transformers.js use");
  options = test::OptionsFor("t5");
  options.encoder = {};
  EXPECT_NE(LoadDecoder(test::TestLibrary(), options, decoder).message().find("encoder_model.onnx"), std::string::npos);
  options = test::OptionsFor("t5", test::Form::kTwoFiles);
  options.decoder_with_past = {};
  EXPECT_NE(LoadDecoder(test::TestLibrary(), options, decoder).message().find("past_key_values"), std::string::npos);
  options = test::OptionsFor("gpt2");
  options.device.options = {{"tf32", "true"}};
  EXPECT_EQ(LoadDecoder(test::TestLibrary(), options, decoder).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
