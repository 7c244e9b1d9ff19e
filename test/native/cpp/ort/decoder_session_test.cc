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
  void SetUp() override {
    const Status status =
        LoadDecoder(test::TestLibrary(), test::OptionsFor(GetParam().model, GetParam().form), decoder);
    ASSERT_TRUE(status.ok()) << status.message();
    reference = test::TextReferenceReader::Read(GetParam().model);
  }

  GreedySequence Sequence(size_t text) const {
    GreedySequence sequence;
    sequence.prompt = reference.texts[text];
    sequence.most = std::max<size_t>(reference.greedy[text].size(), 1);
    sequence.end = GetParam().model == "gpt2" ? 619 : GetParam().model == "llama" ? 2 : 1;
    return sequence;
  }
  bool encoder_decoder() const { return decoder->facts().encoder_decoder; }

  std::unique_ptr<LoadedDecoder> decoder;
  test::TextReference reference;
};

TEST_P(DecoderSessionTest, TheFirstLogitsAreThoseOfTransformers) {
  for (const auto& first : reference.first) {
    GreedySearch search(*decoder);
    GreedySequence sequence = Sequence(first.text);
    if (encoder_decoder()) {
      ASSERT_TRUE(search.Encode({&sequence}).ok());
    }
    const Status status = search.Step({&sequence});
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(search.logits.size(), first.logits.size());
    for (size_t i = 0; i < first.logits.size(); ++i) ASSERT_NEAR(search.logits[i], first.logits[i], 2e-4) << i;
  }
}

TEST_P(DecoderSessionTest, TokensAreThoseOfTransformers) {
  for (size_t text = 0; text < reference.texts.size(); ++text) {
    GreedySearch search(*decoder);
    GreedySequence sequence = Sequence(text);
    const Status status = search.Finish(sequence);
    ASSERT_TRUE(status.ok()) << status.message();
    if (!reference.greedy[text].empty()) {
      EXPECT_EQ(sequence.tokens, reference.greedy[text]) << "text " << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, DecoderSessionTest,
                         testing::Values(Case{"t5"}, Case{"t5", Form::kTwoFiles}, Case{"t5-gated", Form::kTwoFiles}, Case{"gpt2"},
                                         Case{"llama"}),
                         NameOf);

}  // namespace
}  // namespace millrace
