// Single decisions of the policy; properties_test.cc and simulation_test.cc say what they lead to.
#include "generation/policy.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using Need = Candidate::Need;
using Kind = Step::Kind;
using Members = std::vector<uint32_t>;

Candidate Text(int64_t tokens) { return {Need::kEncoder, 1, 0, tokens, 0}; }
Candidate Prompt(int64_t unseen, int64_t seen = 0) { return {Need::kPrompt, 1, seen, unseen, 0}; }
Candidate Token(int64_t seen, int64_t rows = 1, uint64_t last_run = 0) {
  return {Need::kToken, rows, seen, 1, last_run};
}

constexpr StepLimits kMixed{100, true, true};
constexpr StepLimits kWhole{100, true, false};
constexpr StepLimits kEqual{100, false, false};

Step Choose(const std::vector<Candidate>& candidates, const StepLimits& limits,
            const StepHistory& history = {}) {
  Step step;
  ChooseStep(candidates, history, limits, step);
  return step;
}

void Expect(const Step& step, Kind kind, int64_t tokens, const Members& members) {
  EXPECT_EQ(step.kind, kind);
  EXPECT_EQ(step.tokens, tokens);
  EXPECT_EQ(step.members, members);
}

TEST(GenerationPolicy, NothingIsDoneOnlyIfThereIsNothing) {
  Expect(Choose({}, kMixed), Kind::kNone, 0, {});
  Expect(Choose({Token(3)}, kMixed), Kind::kToken, 1, {0});
}

TEST(GenerationPolicy, APrefillGoesBeforeTokensOnceBetweenTwoOfThem) {
  const std::vector<Candidate> both{Token(3), Prompt(60)};
  Expect(Choose(both, kMixed), Kind::kPrompt, 60, {1});
  StepHistory history;
  history.Note({Kind::kPrompt, 60, {0}});
  Expect(Choose(both, kMixed, history), Kind::kToken, 1, {0});
  history.Note({Kind::kToken, 1, {0}});
  Expect(Choose(both, kMixed, history), Kind::kPrompt, 60, {1});
}

TEST(GenerationPolicy, SmallPrefillsFollowEachOther) {
  StepHistory history;
  history.Note({Kind::kPrompt, 60, {0}});
  Expect(Choose({Token(3), Prompt(40)}, kMixed, history), Kind::kPrompt, 40, {1});
  Expect(Choose({Token(3), Prompt(41)}, kMixed, history), Kind::kToken, 1, {0});
  Expect(Choose({Prompt(41)}, kMixed, history), Kind::kPrompt, 41, {0});
  history = {};
  for (uint32_t i = 0; i < kMostPrefills; ++i) {
    Expect(Choose({Token(3), Prompt(2)}, kMixed, history), Kind::kPrompt, 2, {1});
    history.Note({Kind::kPrompt, 2, {0}});
  }
  Expect(Choose({Token(3), Prompt(2)}, kMixed, history), Kind::kToken, 1, {0});
}

TEST(GenerationPolicy, ALongPromptIsComputedInPartsAlone) {
  Expect(Choose({Prompt(250), Prompt(250)}, kMixed), Kind::kPrompt, 100, {0});
  // The second would complete its prompt, and the first would not.
  Expect(Choose({Prompt(250), Prompt(100)}, kMixed), Kind::kPrompt, 100, {0});
  Expect(Choose({Prompt(50, 200), Prompt(50)}, kMixed), Kind::kPrompt, 50, {0, 1});
  Expect(Choose({Prompt(250), Prompt(250)}, kWhole), Kind::kPrompt, 250, {0});
}

TEST(GenerationPolicy, PromptsOfEqualRestsShareARun) {
  Expect(Choose({Prompt(30), Prompt(31), Prompt(30), Prompt(30), Prompt(30)}, kMixed), Kind::kPrompt, 30,
         {0, 2, 3});
  Expect(Choose({Prompt(30), Prompt(30)}, kEqual), Kind::kPrompt, 30, {0, 1});
  Expect(Choose({Prompt(30), Prompt(30, 10)}, kEqual), Kind::kPrompt, 30, {0});
}

TEST(GenerationPolicy, TextsShareARunUpToTheirPaddedSize) {
  Expect(Choose({Text(20), Text(60), Text(30), Text(30), Text(10)}, kEqual), Kind::kEncoder, 30, {0, 2, 3});
  Expect(Choose({Text(500), Text(1)}, kEqual), Kind::kEncoder, 500, {0});
}

TEST(GenerationPolicy, WithMixedLengthsAllHaveAToken) {
  Expect(Choose({Token(3), Token(90, 4), Token(0)}, kMixed), Kind::kToken, 1, {0, 1, 2});
}

TEST(GenerationPolicy, WithoutThemTheLargestGroupGoesFirst) {
  Expect(Choose({Token(200), Token(100), Token(200), Token(0)}, kEqual), Kind::kToken, 1, {0, 2});
  // Beams count with all their rows.
  Expect(Choose({Token(200), Token(100, 4), Token(200)}, kEqual), Kind::kToken, 1, {1});
  Expect(Choose({Token(200), Token(100)}, kEqual), Kind::kToken, 1, {1});
}

TEST(GenerationPolicy, AShorterGroupThatIsNearGoesFirst) {
  Expect(Choose({Token(40), Token(40), Token(8)}, kEqual), Kind::kToken, 1, {2});
  Expect(Choose({Token(40), Token(40), Token(7)}, kEqual), Kind::kToken, 1, {0, 1});
  // The shortest that is near, not the nearest.
  Expect(Choose({Token(40), Token(40), Token(30), Token(9)}, kEqual), Kind::kToken, 1, {3});
}

TEST(GenerationPolicy, EachFourthRunBelongsToThoseThatHaveWaitedLongest) {
  const std::vector<Candidate> groups{Token(200, 4, 9), Token(100, 1, 7), Token(20, 1, 8)};
  StepHistory history;
  for (uint64_t run = 1; run <= 8; ++run) {
    const Step step = Choose(groups, kEqual, history);
    EXPECT_EQ(step.members, Members{run % kTurnEvery == 0 ? 1u : 0u}) << run;
    history.Note(step);
  }
}

}  // namespace
}  // namespace millrace
