// Decoders of the text fixtures: their tokens are those of transformers, alone and in any company.
#include "ort/decoder_session.h"

#include <gtest/gtest.h>

#include <random>

#include "support/decoder_model.h"

namespace millrace {
namespace {

using test::Form;
using test::GreedySearch;
using test::GreedySequence;

struct Case {
  std::string model;
  Form form = Form::kMerged;
};

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.model + (info.param.form == Form::kTwoFiles ? "_two_files" : "");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class DecoderSessionTest : public testing::TestWithParam<Case> {
 protected:
  DecoderSessionTest() : model(GetParam().model) {}
  void SetUp() override {
    const Status status =
        LoadDecoder(test::TestLibrary(), test::OptionsFor(GetParam().model, GetParam().form), decoder);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  // The tokens of a text by itself.
  std::vector<int32_t> Alone(size_t text) {
    GreedySearch search(*decoder);
    GreedySequence sequence = model.Sequence(text);
    const Status status = search.Finish(sequence);
    EXPECT_TRUE(status.ok()) << status.message();
    return sequence.tokens;
  }
  const CacheBlock* BlockOf(const GreedySequence& sequence) const { return sequence.cache.block.get(); }
  int64_t cache_bytes() const { return decoder->facts().cache_bytes; }

  const test::TextModel model;
  std::unique_ptr<LoadedDecoder> decoder;
};

TEST_P(DecoderSessionTest, TheFirstLogitsAreThoseOfTransformers) {
  for (const auto& first : model.reference().first) {
    GreedySearch search(*decoder);
    GreedySequence sequence = model.Sequence(first.text);
    ASSERT_TRUE(search.Encode({&sequence}).ok());
    const Status status = search.Step({&sequence}, sequence.left());
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(search.logits.size(), first.logits.size());
    for (size_t i = 0; i < first.logits.size(); ++i) {
      ASSERT_NEAR(search.logits[i], first.logits[i], 1e-4) << i;
    }
  }
}

TEST_P(DecoderSessionTest, TokensAreThoseOfTransformers) {
  for (size_t text = 0; text < model.size(); ++text) {
    const std::vector<int32_t>& expected = model.reference().greedy[text];
    if (model.plain() && !expected.empty()) {
      EXPECT_EQ(Alone(text), expected) << "text " << text;
    }
  }
}

TEST_P(DecoderSessionTest, TheFactsAreThoseOfTheGraph) {
  const DecoderFacts& facts = decoder->facts();
  const bool decoder_only = !test::IsEncoderDecoder(GetParam().model);
  EXPECT_EQ(facts.encoder_decoder, !decoder_only);
  EXPECT_TRUE(facts.mixed_lengths) << "graphs without a mask over the cache get one";
  EXPECT_TRUE(facts.chunks);
  EXPECT_EQ(facts.vocabulary, static_cast<int64_t>(model.reference().first.front().logits.size()));
  EXPECT_GT(facts.cache_bytes, 0);
  EXPECT_EQ(facts.encoder_bytes > 0, !decoder_only);
  EXPECT_EQ(decoder->report().device, "cpu");
  EXPECT_TRUE(decoder->report().notes.empty());
}

// Sequences start and end at any time, share steps in any order, and read prompts in parts.
TEST_P(DecoderSessionTest, TokensDoNotDependOnWhatSharesTheSteps) {
  std::vector<std::vector<int32_t>> expected;
  for (size_t text = 0; text < model.size(); ++text) expected.push_back(Alone(text));
  const bool mixed = decoder->facts().mixed_lengths;
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    std::mt19937 random(seed);
    GreedySearch search(*decoder);
    std::vector<GreedySequence> sequences;
    std::vector<GreedySequence*> waiting;
    for (size_t text = 0; text < model.size(); ++text) sequences.push_back(model.Sequence(text));
    for (GreedySequence& sequence : sequences) waiting.push_back(&sequence);
    std::shuffle(waiting.begin(), waiting.end(), random);
    std::vector<GreedySequence*> running;
    while (!waiting.empty() || !running.empty()) {
      std::vector<GreedySequence*> starting;
      while (!waiting.empty() && (running.empty() || random() % 3 == 0)) {
        starting.push_back(waiting.back());
        running.push_back(waiting.back());
        waiting.pop_back();
      }
      if (!starting.empty()) {
        ASSERT_TRUE(search.Encode(starting).ok());
      }
      // Of those that can share a step with one of them, some.
      const GreedySequence& leader = *running[random() % running.size()];
      const size_t count = leader.left() > 1 ? 1 + random() % leader.left() : 1;
      std::vector<GreedySequence*> step;
      for (GreedySequence* sequence : running) {
        const bool fits = sequence->left() >= count && (mixed || sequence->seen == leader.seen);
        if (fits && (sequence == &leader || random() % 4 != 0)) step.push_back(sequence);
      }
      if (random() % 4 == 0) std::shuffle(step.begin(), step.end(), random);
      const Status status = search.Step(step, count);
      ASSERT_TRUE(status.ok()) << status.message();
      std::erase_if(running, [](const GreedySequence* sequence) { return sequence->done(); });
    }
    for (size_t text = 0; text < model.size(); ++text) {
      EXPECT_EQ(sequences[text].tokens, expected[text]) << "text " << text << ", seed " << seed;
    }
  }
}

TEST_P(DecoderSessionTest, RowsThatStayTogetherAreNotCopied) {
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(3, model.Sequence(1));
  std::vector<GreedySequence*> all{&sequences[0], &sequences[1], &sequences[2]};
  ASSERT_TRUE(search.Encode(all).ok());
  ASSERT_TRUE(search.Step(all, sequences[0].left()).ok());
  const CopyCounters before = decoder->copies();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(search.Step(all, 1).ok());
  }
  EXPECT_EQ(decoder->copies().steps - before.steps, 5u);
  EXPECT_EQ(decoder->copies().reused - before.reused, 5u);
  EXPECT_EQ(decoder->copies().gathered_bytes, before.gathered_bytes);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(BlockOf(sequences[i]), BlockOf(sequences[0]));
    EXPECT_EQ(sequences[i].cache.row, i);
    EXPECT_EQ(sequences[i].cache.length, static_cast<int64_t>(sequences[i].seen));
  }
  EXPECT_EQ(BlockOf(sequences[0])->bytes(), 3 * sequences[0].cache.length * cache_bytes());
}

TEST_P(DecoderSessionTest, WhenTheLastRowLeavesTheOthersKeysAndValuesAreNotCopied) {
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(3, model.Sequence(1));
  ASSERT_TRUE(search.Encode({&sequences[0], &sequences[1], &sequences[2]}).ok());
  ASSERT_TRUE(search.Step({&sequences[0], &sequences[1], &sequences[2]}, sequences[0].left()).ok());
  const CopyCounters before = decoder->copies();
  ASSERT_TRUE(search.Step({&sequences[0], &sequences[1]}, 1).ok());
  EXPECT_EQ(decoder->copies().reused, before.reused + 1);
  EXPECT_EQ(BlockOf(sequences[0])->bytes(), 2 * sequences[0].cache.length * cache_bytes());
}

// One row becomes beams, which change their order in each step.
TEST_P(DecoderSessionTest, BeamsAreRowsThatAreGatheredInAnyOrder) {
  GreedySearch search(*decoder);
  GreedySequence one = model.Sequence(2);
  ASSERT_TRUE(search.Encode({&one}).ok());
  ASSERT_TRUE(search.Step({&one}, one.left()).ok());
  std::vector<GreedySequence> beams(4, one);
  std::mt19937 random(7);
  std::vector<float> logits;
  uint64_t texts_copied = 0;
  for (int step = 0; step < 8; ++step) {
    std::vector<GreedySequence> chosen;
    for (size_t i = 0; i < beams.size(); ++i) {
      chosen.push_back(beams[random() % beams.size()]);
      chosen.back().read.back() = static_cast<int32_t>(random() % 500 + 10);
    }
    beams = std::move(chosen);
    const CopyCounters before = decoder->copies();
    const int64_t past = beams[0].cache.length;
    ASSERT_TRUE(search.Step({&beams[0], &beams[1], &beams[2], &beams[3]}, 1).ok());
    logits.assign(search.logits.begin(), search.logits.end());
    const uint64_t copied = decoder->copies().gathered_bytes - before.gathered_bytes;
    const auto cache_only = static_cast<uint64_t>(4 * past * cache_bytes());
    // The first of these steps also copies the text's keys and values to each beam; later ones find them in place.
    if (step == 0) texts_copied = copied - cache_only;
    if (step > 0 && copied > 0) {
      EXPECT_EQ(copied, cache_only) << step;
    }
  }
  EXPECT_EQ(texts_copied > 0, test::IsEncoderDecoder(GetParam().model));

  const size_t width = logits.size() / beams.size();
  for (size_t i = 0; i < beams.size(); ++i) {
    GreedySequence again = model.Sequence(2);
    again.read.assign(beams[i].read.begin(), beams[i].read.end() - 1);
    ASSERT_TRUE(search.Encode({&again}).ok());
    ASSERT_TRUE(search.Step({&again}, again.left()).ok());
    for (size_t token = 0; token < width; ++token) {
      ASSERT_NEAR(logits[i * width + token], search.logits[token], 1e-4) << "beam " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, DecoderSessionTest,
                         testing::Values(Case{"t5"}, Case{"t5", Form::kTwoFiles}, Case{"t5-gated", Form::kTwoFiles},
                                         Case{"bart"}, Case{"marian"}, Case{"gpt2"}, Case{"llama"}),
                         NameOf);

}  // namespace
}  // namespace millrace
