// What is drawn; reference_test.cc says from which tokens.
#include "generation/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "batching/vector_math.h"

namespace millrace {
namespace {

std::vector<float> Scores(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> scores(count);
  for (float& score : scores) score = std::normal_distribution<float>(0, 4)(random);
  return scores;
}

TEST(VectorMath, TheExponentialIsThatOfTheStandardLibrary) {
  double worst = 0;
  for (double x = -87; x <= 0; x += 0.000917) {
    const auto value = static_cast<float>(x);
    const double exact = std::exp(static_cast<double>(value));
    worst = std::max(worst, std::abs(static_cast<double>(ExpOfNegative(value)) - exact) / exact);
  }
  EXPECT_LE(worst, 2e-7);
  EXPECT_EQ(ExpOfNegative(0), 1);
  EXPECT_LE(ExpOfNegative(-1000), 1e-37f);
  EXPECT_LE(ExpOfNegative(kMinusInfinity), 1e-37f);
}

TEST(VectorMath, ReductionsAreRightForEverySize) {
  for (size_t size = 1; size < 100; ++size) {
    const std::vector<float> scores = Scores(size, size);
    const auto most = std::ranges::max_element(scores);
    EXPECT_EQ(MaxOf(scores), *most);
    EXPECT_EQ(ArgMax(scores), most - scores.begin());
    double sum = 0;
    for (const float score : scores) sum += std::exp(static_cast<double>(score) - static_cast<double>(*most));
    EXPECT_NEAR(SumOfExp(scores, *most), sum, 1e-6 * sum);
    std::vector<float> logs(size);
    ASSERT_TRUE(LogSoftmax(scores, logs));
    EXPECT_NEAR(logs[size - 1], static_cast<double>(scores[size - 1] - *most) - std::log(sum), 1e-5);
  }
}

TEST(VectorMath, TheFirstOfEqualsIsTheLargestAndNoNumberIsNone) {
  const float nan = std::nanf("");
  EXPECT_EQ(ArgMax(std::vector<float>{1, 3, nan, 3}), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{nan, kMinusInfinity}), -1);
  EXPECT_EQ(ArgMax({}), -1);
  std::vector<float> out(2);
  EXPECT_FALSE(LogSoftmax(std::vector<float>{nan, nan}, out));
  EXPECT_FALSE(LogSoftmax(std::vector<float>{1, -kMinusInfinity}, out));
}

TEST(TopKTest, KeepsTheBestAndTheFirstOfEquals) {
  TopK best;
  best.Reset(3);
  const std::vector<float> scores{1, 5, std::nanf(""), 5, 2, 5, 5};
  best.Add(scores, 0, 10);
  std::vector<int64_t> indices;
  for (const Scored& scored : best.Sorted()) indices.push_back(scored.index);
  EXPECT_EQ(indices, (std::vector<int64_t>{11, 13, 15}));
}

TEST(SamplerTest, NumbersAreThoseOfSplitMix64) {
  SplitMix64 random(1234567);
  // From the reference implementation of Vigna.
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  for (int i = 0; i < 1000; ++i) {
    const double uniform = random.Uniform();
    EXPECT_TRUE(uniform >= 0 && uniform < 1);
  }
}

// The frequencies of draws against the probabilities, by Pearson's chi-squared statistic.
TEST(SamplerTest, DrawsEachTokenWithItsProbability) {
  for (const int64_t top_k : {0, 5}) {
    for (const double top_p : {1.0, 0.8}) {
      GenerationOptions options;
      options.temperature = 2;
      options.top_k = top_k;
      options.top_p = top_p;
      const std::vector<float> scores = Scores(12, 3);
      Sampler sampler(options, 99);
      SearchMemory memory;
      std::vector<float> changed = scores;
      sampler.Choose(changed, memory);
      std::vector<double> expected(scores.size());
      double total = 0;
      for (const Scored& candidate : memory.candidates) total += std::exp(static_cast<double>(candidate.score));
      for (const Scored& candidate : memory.candidates) {
        expected[static_cast<size_t>(candidate.index)] = std::exp(static_cast<double>(candidate.score)) / total;
      }
      constexpr int kDraws = 5'000;
      std::vector<int> counts(scores.size());
      for (int i = 0; i < kDraws; ++i) {
        changed = scores;
        ++counts[static_cast<size_t>(sampler.Draw(changed, memory))];
      }
      double chi = 0;
      for (size_t i = 0; i < counts.size(); ++i) {
        if (expected[i] == 0) {
          EXPECT_EQ(counts[i], 0) << i;
        } else {
          const double mean = expected[i] * kDraws;
          chi += (counts[i] - mean) * (counts[i] - mean) / mean;
        }
      }
      // The 99.9 % quantile with 11 degrees of freedom.
      EXPECT_LE(chi, 31.3) << "top_k " << top_k << ", top_p " << top_p;
    }
  }
}

TEST(SamplerTest, TheLikeliestTokenIsAlwaysLeft) {
  GenerationOptions options;
  options.top_k = 0;
  options.top_p = 1e-9;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    std::vector<float> scores = Scores(50, seed);
    const int64_t best = ArgMax(scores);
    SearchMemory memory;
    EXPECT_EQ(Sampler(options, seed).Draw(scores, memory), best);
  }
}

TEST(SamplerTest, NothingIsDrawnFromNothing) {
  std::vector<float> scores(10, kMinusInfinity);
  SearchMemory memory;
  for (const int64_t top_k : {0, 3, 50}) {
    GenerationOptions options;
    options.top_k = top_k;
    EXPECT_EQ(Sampler(options, 1).Draw(scores, memory), -1);
    options.top_p = 0.5;
    EXPECT_EQ(Sampler(options, 1).Draw(scores, memory), -1);
  }
}

// A nucleus without top-k is found without sorting all tokens; the result is that of sorting them.
TEST(SamplerTest, ANucleusOfManyTokensIsThatOfSortingThemAll) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    GenerationOptions options;
    options.top_k = 0;
    options.top_p = 0.2 + 0.04 * static_cast<double>(seed);
    std::vector<float> scores = Scores(3000, seed);
    SearchMemory memory;
    Sampler(options, 1).Choose(scores, memory);
    std::ranges::sort(scores);
    double total = 0;
    for (const float score : scores) total += std::exp(static_cast<double>(score));
    double below = 0;
    size_t removed = 0;
    for (const float score : scores) {
      below += std::exp(static_cast<double>(score));
      if (below > (1 - options.top_p) * total) break;
      ++removed;
    }
    EXPECT_EQ(memory.candidates.size(), scores.size() - removed) << seed;
  }
}

}  // namespace
}  // namespace millrace
