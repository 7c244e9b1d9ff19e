// The search against transformers: test/fixtures/generation/cases.txt, which make.py beside it has made.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "generation/hash_model.h"
#include "generation/sequence.h"

namespace millrace {
namespace {

using test::HashState;

class Case {
 public:
  explicit Case(const std::string& line) {
    std::istringstream words(line);
    words >> kind;
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      fields_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }

  bool Has(const std::string& name) const { return fields_.contains(name); }
  std::string Text(const std::string& name) const { return Has(name) ? fields_.at(name) : ""; }
  double Number(const std::string& name, double otherwise) const {
    return Has(name) ? std::stod(fields_.at(name)) : otherwise;
  }
  int32_t Whole(const std::string& name, int32_t otherwise) const {
    return Has(name) ? std::stoi(fields_.at(name)) : otherwise;
  }
  std::vector<int32_t> List(const std::string& name) const { return ListOf(Text(name)); }
  std::vector<std::vector<int32_t>> Lists(const std::string& name) const {
    std::vector<std::vector<int32_t>> lists;
    std::istringstream text(Text(name));
    for (std::string list; std::getline(text, list, '/');) lists.push_back(ListOf(list));
    return lists;
  }

  std::string kind;

 private:
  static std::vector<int32_t> ListOf(const std::string& text) {
    std::vector<int32_t> list;
    std::istringstream items(text);
    for (std::string item; std::getline(items, item, ',');) list.push_back(std::stoi(item));
    return list;
  }

  std::map<std::string, std::string> fields_;
};

GenerationOptions OptionsOf(const Case& given) {
  GenerationOptions options;
  options.max_new_tokens = given.Whole("max_new_tokens", 20);
  options.min_new_tokens = given.Whole("min_new_tokens", 0);
  options.num_beams = given.Whole("num_beams", 1);
  options.length_penalty = given.Number("length_penalty", 1);
  const std::string early = given.Text("early_stopping");
  if (early == "true") options.early_stopping = EarlyStopping::kFirst;
  if (early == "never") options.early_stopping = EarlyStopping::kExact;
  options.temperature = given.Number("temperature", 1);
  options.top_k = given.Whole("top_k", 50);
  options.top_p = given.Number("top_p", 1);
  options.repetition_penalty = given.Number("repetition_penalty", 1);
  options.no_repeat_ngram_size = given.Whole("no_repeat_ngram_size", 0);
  options.encoder_no_repeat_ngram_size = given.Whole("encoder_no_repeat_ngram_size", 0);
  options.eos_token_ids = given.List("eos_token_ids");
  options.decoder_start_token_id = given.Whole("decoder_start_token_id", -1);
  options.forced_bos_token_id = given.Whole("forced_bos_token_id", -1);
  options.forced_eos_token_id = given.Whole("forced_eos_token_id", -1);
  options.suppress_tokens = given.List("suppress_tokens");
  options.begin_suppress_tokens = given.List("begin_suppress_tokens");
  options.bad_words_ids = given.Lists("bad_words_ids");
  return options;
}

// Continues one sequence without a generator, as a loop of one would.
void Generate(const Case& given, GenerationRequest& request) {
  DecoderFacts facts;
  facts.vocabulary = given.Whole("vocabulary", 0);
  facts.encoder_decoder = given.Text("encoder") == "true";
  request.prompt = given.List("prompt");
  request.options = OptionsOf(given);
  const Status valid = request.options.Validate(facts);
  ASSERT_TRUE(valid.ok()) << valid.message();
  Sequence sequence(request, facts, 0);
  if (facts.encoder_decoder) sequence.SetEncoded({});
  SearchMemory memory;
  std::vector<std::vector<int32_t>> histories(1);
  while (!sequence.ended()) {
    std::vector<DecoderRow> rows;
    sequence.AddRows(sequence.unseen(), rows);
    std::vector<std::vector<int32_t>> next;
    std::vector<float> logits(rows.size() * static_cast<size_t>(facts.vocabulary));
    for (size_t i = 0; i < rows.size(); ++i) {
      // The places of the keys and values are numbers of earlier rows.
      std::vector<int32_t> history = histories[rows[i].cache.row];
      ASSERT_EQ(static_cast<int64_t>(history.size()), rows[i].cache.length);
      history.insert(history.end(), rows[i].tokens.begin(), rows[i].tokens.end());
      HashState state(static_cast<uint64_t>(given.Whole("seed", 0)));
      if (facts.encoder_decoder) state.Fold(request.prompt);
      state.Fold(history);
      state.WriteLogits(std::span(logits).subspan(i * static_cast<size_t>(facts.vocabulary),
                                                  static_cast<size_t>(facts.vocabulary)));
      rows[i].cache = {nullptr, static_cast<uint32_t>(i), static_cast<int64_t>(history.size())};
      next.push_back(std::move(history));
    }
    histories = std::move(next);
    const Status status = sequence.TakeRows(rows, logits, memory);
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

// What the request should have of the tokens that transformers returns, which include the one that ends the sequence.
struct Expected {
  std::vector<int32_t> tokens;
  FinishReason finish = FinishReason::kLength;
};

Expected ExpectedOf(const Case& given) {
  Expected expected;
  expected.tokens = given.List("tokens");
  const bool forced = static_cast<int32_t>(expected.tokens.size()) == given.Whole("max_new_tokens", 0) &&
                      given.Has("forced_eos_token_id") &&
                      expected.tokens.back() == given.Whole("forced_eos_token_id", -1);
  const auto ends = given.List("eos_token_ids");
  const bool ended = std::ranges::count(ends, expected.tokens.back()) > 0;
  if (forced || ended) expected.tokens.pop_back();
  if (ended && !forced) expected.finish = FinishReason::kStop;
  return expected;
}

TEST(Reference, GeneratesTheTokensOfTransformers) {
  std::ifstream file(MILLRACE_GENERATION_CASES);
  size_t generated = 0;
  size_t beams = 0;
  for (std::string line; std::getline(file, line);) {
    const Case given(line);
    if (given.kind != "generate") continue;
    SCOPED_TRACE(line);
    GenerationRequest request;
    ASSERT_NO_FATAL_FAILURE(Generate(given, request));
    const Expected expected = ExpectedOf(given);
    EXPECT_EQ(request.tokens, expected.tokens);
    EXPECT_EQ(request.finish, expected.finish);
    if (given.Has("score")) {
      const double score = given.Number("score", 0);
      EXPECT_NEAR(request.score, score, 1e-6 * std::max(1.0, std::abs(score)));
    }
    ++generated;
    beams += request.options.num_beams > 1 ? 1 : 0;
  }
  EXPECT_GE(generated, 300u);
  EXPECT_GE(beams, 150u);
}

TEST(Reference, TemperatureTopKAndTopPLeaveTheTokensOfTransformers) {
  std::ifstream file(MILLRACE_GENERATION_CASES);
  size_t compared = 0;
  for (std::string line; std::getline(file, line);) {
    const Case given(line);
    if (given.kind != "warp") continue;
    SCOPED_TRACE(line);
    std::vector<float> scores(static_cast<size_t>(given.Whole("vocabulary", 0)));
    HashState(static_cast<uint64_t>(given.Whole("seed", 0))).WriteLogits(scores);
    SearchMemory memory;
    Sampler(OptionsOf(given), 1).Choose(scores, memory);
    std::vector<int32_t> left;
    for (const Scored& candidate : memory.candidates) left.push_back(static_cast<int32_t>(candidate.index));
    std::ranges::sort(left);
    EXPECT_EQ(left, given.List("tokens"));
    ++compared;
  }
  EXPECT_GE(compared, 100u);
}

}  // namespace
}  // namespace millrace
