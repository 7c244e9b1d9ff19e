#include "generation/options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace millrace {
namespace {

DecoderFacts Facts(bool encoder) {
  DecoderFacts facts;
  facts.vocabulary = 100;
  facts.encoder_decoder = encoder;
  return facts;
}

std::string Refusal(const std::function<void(GenerationOptions&)>& change, bool encoder = false) {
  GenerationOptions options;
  options.decoder_start_token_id = 0;
  change(options);
  const Status status = options.Validate(Facts(encoder));
  EXPECT_EQ(status.code(), status.message().empty() ? Code::kOk : Code::kInvalidArgument);
  return status.message();
}

TEST(GenerationOptions, DefaultsAreValid) {
  EXPECT_EQ(Refusal([](auto&) {}), "");
  EXPECT_EQ(Refusal([](auto&) {}, true), "");
}

TEST(GenerationOptions, EachRangeIsNamed) {
  using Options = GenerationOptions&;
  EXPECT_EQ(Refusal([](Options o) { o.max_new_tokens = 0; }),
            "'maxNewTokens' must be from 1 to 1048576 but is 0");
  EXPECT_EQ(Refusal([](Options o) { o.min_new_tokens = 129; }),
            "'minNewTokens' must be from 0 to 128 but is 129");
  EXPECT_EQ(Refusal([](Options o) { o.num_beams = 0; }), "'numBeams' must be from 1 to 64 but is 0");
  EXPECT_EQ(Refusal([](Options o) { o.length_penalty = std::nan(""); }),
            "'lengthPenalty' must be a number but is nan");
  EXPECT_EQ(Refusal([](Options o) { o.temperature = -0.5; }),
            "'temperature' must be a number above 0 but is -0.5");
  EXPECT_EQ(Refusal([](Options o) { o.temperature = std::numeric_limits<double>::infinity(); }),
            "'temperature' must be a number above 0 but is inf");
  EXPECT_EQ(Refusal([](Options o) { o.top_k = -1; }), "'topK' must be from 0 to 2147483647 but is -1");
  EXPECT_EQ(Refusal([](Options o) { o.top_p = 0; }), "'topP' must be above 0 and at most 1 but is 0");
  EXPECT_EQ(Refusal([](Options o) { o.top_p = 1.5; }),
            "'topP' must be above 0 and at most 1 but is 1.5");
  EXPECT_EQ(Refusal([](Options o) { o.repetition_penalty = 0; }),
            "'repetitionPenalty' must be a number above 0 but is 0");
  EXPECT_EQ(Refusal([](Options o) { o.no_repeat_ngram_size = -2; }),
            "'noRepeatNgramSize' must be from 0 to 1048576 but is -2");
  EXPECT_EQ(Refusal([](Options o) { o.encoder_no_repeat_ngram_size = -2; }),
            "'encoderNoRepeatNgramSize' must be from 0 to 1048576 but is -2");
}

TEST(GenerationOptions, TokensFitTheModel) {
  using Options = GenerationOptions&;
  EXPECT_EQ(Refusal([](Options o) { o.forced_bos_token_id = 100; }),
            "'forcedBosTokenId' must be from 0 to 99 but is 100");
  EXPECT_EQ(Refusal([](Options o) { o.forced_eos_token_id = -2; }),
            "'forcedEosTokenId' must be from 0 to 99 but is -2");
  EXPECT_EQ(Refusal([](Options o) { o.bad_words_ids = {{1}, {2, 100}}; }),
            "'badWordsIds' must be from 0 to 99 but is 100");
  EXPECT_EQ(Refusal([](Options o) { o.bad_words_ids = {{}}; }),
            "'badWordsIds' has an empty list: leave it out");
  EXPECT_EQ(Refusal([](Options o) { o.eos_token_ids = {1, -1}; }),
            "'eosTokenIds' must be token ids of at least 0 but is -1");
  // No model generates them.
  EXPECT_EQ(Refusal([](Options o) { o.eos_token_ids = {100}; }), "");
  EXPECT_EQ(Refusal([](Options o) { o.suppress_tokens = {100}; }), "");
  EXPECT_EQ(Refusal([](Options o) {
              o.suppress_tokens = {5};
              o.forced_eos_token_id = 5;
            }),
            "'suppressTokens' has the forced token 5: leave it out of one of the two");
}

TEST(GenerationOptions, AnEncoderNeedsAStartToken) {
  using Options = GenerationOptions&;
  const auto none = [](Options o) { o.decoder_start_token_id = -1; };
  EXPECT_EQ(Refusal(none), "");
  EXPECT_EQ(Refusal(none, true),
            "'decoderStartTokenId' is missing: an encoder–decoder model starts from that token");
  EXPECT_EQ(Refusal([](Options o) { o.decoder_start_token_id = 100; }, true),
            "'decoderStartTokenId' must be from 0 to 99 but is 100");
}

TEST(GenerationOptions, BeamsDoNotSample) {
  EXPECT_NE(Refusal([](GenerationOptions& options) {
              options.num_beams = 2;
              options.do_sample = true;
            }),
            "");
}

}  // namespace
}  // namespace millrace
