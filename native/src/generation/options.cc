#include "generation/options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>
#include <string>

namespace millrace {
namespace {

Status Wrong(const char* option, const std::string& range, const std::string& value) {
  return {Code::kInvalidArgument,
          std::string("'") + option + "' must be " + range + " but is " + value};
}

std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

Status Between(const char* option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return Wrong(option, "from " + std::to_string(least) + " to " + std::to_string(most),
               std::to_string(value));
}

Status AboveZero(const char* option, double value) {
  if (std::isfinite(value) && value > 0) return {};
  return Wrong(option, "a number above 0", Text(value));
}

Status IsToken(const char* option, int64_t id, int64_t vocabulary) {
  return Between(option, id, 0, vocabulary - 1);
}

Status NoneNegative(const char* option, std::span<const int32_t> ids) {
  const auto negative = std::ranges::find_if(ids, [](int32_t id) { return id < 0; });
  if (negative == ids.end()) return {};
  return Wrong(option, "token ids of at least 0", std::to_string(*negative));
}

Status ValidateNumbers(const GenerationOptions& options) {
  MILLRACE_RETURN_IF_ERROR(
      Between("maxNewTokens", options.max_new_tokens, 1, GenerationOptions::kMostNewTokens));
  MILLRACE_RETURN_IF_ERROR(
      Between("minNewTokens", options.min_new_tokens, 0, options.max_new_tokens));
  MILLRACE_RETURN_IF_ERROR(
      Between("numBeams", options.num_beams, 1, GenerationOptions::kMostBeams));
  if (!std::isfinite(options.length_penalty)) {
    return Wrong("lengthPenalty", "a number", Text(options.length_penalty));
  }
  if (options.do_sample && options.num_beams > 1) {
    return {Code::kInvalidArgument,
            "'doSample' and 'numBeams' above 1 cannot be combined: leave one of them out"};
  }
  MILLRACE_RETURN_IF_ERROR(AboveZero("temperature", options.temperature));
  MILLRACE_RETURN_IF_ERROR(
      Between("topK", options.top_k, 0, std::numeric_limits<int32_t>::max()));
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return Wrong("topP", "above 0 and at most 1", Text(options.top_p));
  }
  MILLRACE_RETURN_IF_ERROR(AboveZero("repetitionPenalty", options.repetition_penalty));
  constexpr int64_t kMost = GenerationOptions::kMostNewTokens;
  MILLRACE_RETURN_IF_ERROR(
      Between("noRepeatNgramSize", options.no_repeat_ngram_size, 0, kMost));
  return Between("encoderNoRepeatNgramSize", options.encoder_no_repeat_ngram_size, 0, kMost);
}

Status ValidateTokens(const GenerationOptions& options, const DecoderFacts& facts) {
  if (facts.encoder_decoder) {
    if (options.decoder_start_token_id < 0) {
      return {Code::kInvalidArgument,
              "'decoderStartTokenId' is missing: an encoder–decoder model starts from that token"};
    }
    MILLRACE_RETURN_IF_ERROR(
        IsToken("decoderStartTokenId", options.decoder_start_token_id, facts.vocabulary));
  }
  if (options.forced_bos_token_id != -1) {
    MILLRACE_RETURN_IF_ERROR(
        IsToken("forcedBosTokenId", options.forced_bos_token_id, facts.vocabulary));
  }
  if (options.forced_eos_token_id != -1) {
    MILLRACE_RETURN_IF_ERROR(
        IsToken("forcedEosTokenId", options.forced_eos_token_id, facts.vocabulary));
  }
  MILLRACE_RETURN_IF_ERROR(NoneNegative("eosTokenIds", options.eos_token_ids));
  MILLRACE_RETURN_IF_ERROR(NoneNegative("suppressTokens", options.suppress_tokens));
  MILLRACE_RETURN_IF_ERROR(NoneNegative("beginSuppressTokens", options.begin_suppress_tokens));
  for (const int32_t forced : {options.forced_bos_token_id, options.forced_eos_token_id}) {
    if (forced < 0 || std::ranges::count(options.suppress_tokens, forced) == 0) continue;
    return {Code::kInvalidArgument, "'suppressTokens' has the forced token " +
                                        std::to_string(forced) + ": leave it out of one of the two"};
  }
  for (const std::vector<int32_t>& words : options.bad_words_ids) {
    if (words.empty()) {
      return {Code::kInvalidArgument, "'badWordsIds' has an empty list: leave it out"};
    }
    for (const int32_t id : words) {
      MILLRACE_RETURN_IF_ERROR(IsToken("badWordsIds", id, facts.vocabulary));
    }
  }
  return {};
}

}  // namespace

Status GenerationOptions::Validate(const DecoderFacts& facts) const {
  MILLRACE_RETURN_IF_ERROR(ValidateNumbers(*this));
  return ValidateTokens(*this, facts);
}

}  // namespace millrace
