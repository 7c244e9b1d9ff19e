// Models whose rows depend on each other in ways that a few random rows do not show.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "batching/probe.h"
#include "batching/row_names.h"
#include "support/executors.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::OwnedOutputs;
using test::ValuesOf;

constexpr size_t kWidth = 3;
using Rows = std::vector<std::vector<float>>;

Signature Named(const char* input, const char* output) {
  return {{{"in", ElementType::kFloat32, {-1, kWidth}, {input, ""}}},
          {{"out", ElementType::kFloat32, {-1, kWidth}, {output, ""}}}};
}

// A model that maps rows to rows.
FunctionExecutor Model(std::function<Rows(const Rows&)> f) {
  return FunctionExecutor([f](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    const auto values = ValuesOf<float>(inputs[0]);
    Rows rows(values.size() / kWidth);
    for (size_t i = 0; i < values.size(); ++i) rows[i / kWidth].push_back(values[i]);
    const Rows results = f(rows);
    std::vector<float> flat;
    for (const auto& row : results) flat.insert(flat.end(), row.begin(), row.end());
    outputs.Add(ElementType::kFloat32,
                test::MakeShape({static_cast<int64_t>(results.size()), kWidth}), flat);
    return Status();
  });
}

// A clock that a model moves.
class Slow final : public Clock {
 public:
  Nanos Now() const noexcept override { return now; }
  Nanos now = 0;
};

Batchability Probe(std::function<Rows(const Rows&)> f, ProbeOptions options = {}) {
  const Slow clock;
  FunctionExecutor model = Model(std::move(f));
  return ProbeBatching(Named("N", "N"), model, clock, options);
}

float Sum(const Rows& rows) {
  float sum = 0;
  for (const auto& row : rows) sum = std::accumulate(row.begin(), row.end(), sum);
  return sum;
}

float Max(const Rows& rows) {
  float most = -HUGE_VALF;
  for (const auto& row : rows) most = std::max(most, *std::ranges::max_element(row));
  return most;
}

Rows Plus(Rows rows, float value) {
  for (auto& row : rows) {
    for (float& element : row) element += value;
  }
  return rows;
}

Rows Lag(const Rows& rows, size_t by) {
  Rows result = rows;
  for (size_t i = by; i < rows.size(); ++i) {
    for (size_t k = 0; k < kWidth; ++k) result[i][k] -= rows[i - by][k];
  }
  return result;
}

// Every row minus the mean, where `applies`.
Rows Centred(const Rows& rows, bool applies) {
  return applies ? Plus(rows, -Sum(rows) / static_cast<float>(rows.size() * kWidth)) : rows;
}

struct Mixer {
  const char* name;
  std::function<Rows(const Rows&)> function;
};

class Mixing : public testing::TestWithParam<Mixer> {};

TEST_P(Mixing, IsFound) {
  const Batchability result = Probe(GetParam().function);
  EXPECT_FALSE(result.batched);
  EXPECT_NE(result.reason.find("Output 'out' of"), std::string::npos) << result.reason;
}

INSTANTIATE_TEST_SUITE_P(
    All, Mixing,
    testing::Values(
        Mixer{"lag1", [](const Rows& rows) { return Lag(rows, 1); }},
        Mixer{"lag2", [](const Rows& rows) { return Lag(rows, 2); }},
        Mixer{"lag4", [](const Rows& rows) { return Lag(rows, 4); }},
        Mixer{"lag7", [](const Rows& rows) { return Lag(rows, 7); }},
        Mixer{"lag33", [](const Rows& rows) { return Lag(rows, 33); }},
        Mixer{"lag100", [](const Rows& rows) { return Lag(rows, 100); }},
        Mixer{"lag300", [](const Rows& rows) { return Lag(rows, 300); }},
        Mixer{"sorted",
              [](Rows rows) {
                std::ranges::sort(rows);
                return rows;
              }},
        Mixer{"reversed", [](const Rows& rows) { return Rows(rows.rbegin(), rows.rend()); }},
        Mixer{"unique",
              [](const Rows& rows) {
                Rows result;
                for (const auto& row : rows) {
                  const bool nan = std::isnan(row[0]);
                  if (!nan && std::ranges::find(result, row) != result.end()) continue;
                  result.push_back(row);
                }
                return result;
              }},
        Mixer{"numbered",
              [](Rows rows) {
                for (size_t i = 0; i < rows.size(); ++i) rows[i][0] += static_cast<float>(i);
                return rows;
              }},
        Mixer{"cumulative",
              [](Rows rows) {
                for (size_t i = 1; i < rows.size(); ++i) rows[i][1] += rows[i - 1][1];
                return rows;
              }},
        Mixer{"counted",
              [](const Rows& rows) { return Plus(rows, static_cast<float>(rows.size())); }},
        Mixer{"centredAboveThree",
              [](const Rows& rows) { return Centred(rows, rows.size() > 3); }},
        Mixer{"centredAboveTwenty",
              [](const Rows& rows) { return Centred(rows, rows.size() > 20); }},
        Mixer{"centredAboveAHundred",
              [](const Rows& rows) { return Centred(rows, rows.size() > 100); }},
        Mixer{"otherwiseOfThirteen",
              [](const Rows& rows) { return Plus(rows, rows.size() == 13 ? 1 : 0); }},
        Mixer{"otherwiseOfSixtyThree",
              [](const Rows& rows) { return Plus(rows, rows.size() == 63 ? 1 : 0); }},
        Mixer{"lastRowOtherwiseOfFortyOne",
              [](Rows rows) {
                if (rows.size() == 41) rows.back()[0] += 1;
                return rows;
              }},
        Mixer{"fewerOfThirtySeven",
              [](Rows rows) {
                if (rows.size() == 37) rows.pop_back();
                return rows;
              }},
        Mixer{"otherwiseOfEvenNumbers",
              [](const Rows& rows) { return Plus(rows, rows.size() % 2 == 0 ? 1 : 0); }},
        Mixer{"otherwiseOfMultiplesOfEleven",
              [](const Rows& rows) { return Plus(rows, rows.size() % 11 == 0 ? 1 : 0); }},
        Mixer{"otherwiseBetweenPowersOfTwo",
              [](const Rows& rows) {
                return Plus(rows, rows.size() > 33 && rows.size() < 48 ? 1 : 0);
              }},
        Mixer{"centredFromTwenty",
              [](const Rows& rows) { return Centred(rows, rows.size() >= 20); }},
        Mixer{"centredAboveAThreshold",
              [](const Rows& rows) { return Centred(rows, Max(rows) > 1e5f); }},
        Mixer{"shiftedBelowAThreshold",
              [](Rows rows) {
                float least = HUGE_VALF;
                for (const auto& row : rows) least = std::min(least, row[0]);
                return least < -1e5f && rows.size() > 1 ? Plus(std::move(rows), 1) : rows;
              }},
        Mixer{"scaledByTheLargest",
              [](Rows rows) {
                const float most = std::max(1.f, std::min(Max(rows), 50.f));
                if (rows.size() > 1) {
                  for (auto& row : rows) row[2] /= most;
                }
                return rows;
              }},
        Mixer{"clippedAtThreeDeviations",
              [](Rows rows) {
                std::vector<double> column;
                for (const auto& row : rows) column.push_back(row[0]);
                const auto count = static_cast<double>(column.size());
                const double mean = std::accumulate(column.begin(), column.end(), 0.0) / count;
                double square = 0;
                for (const double x : column) square += (x - mean) * (x - mean);
                const double limit = 3 * std::sqrt(square / count);
                for (auto& row : rows) {
                  row[0] = static_cast<float>(std::clamp<double>(row[0], mean - limit, mean + limit));
                }
                return rows;
              }},
        Mixer{"filtered",
              [](Rows rows) {
                std::erase_if(rows, [](const auto& row) { return row[0] < -1000; });
                return rows;
              }},
        Mixer{"pooledInEights",
              [](Rows rows) {
                for (size_t first = 0; first + 8 <= rows.size(); first += 8) {
                  for (size_t i = first + 1; i < first + 8; ++i) {
                    rows[first][0] = std::max(rows[first][0], rows[i][0]);
                  }
                }
                return rows;
              }},
        Mixer{"firstRowForAll",
              [](const Rows& rows) { return Rows(rows.size(), rows.front()); }}),
    [](const auto& entry) { return std::string(entry.param.name); });

TEST(ProbeOfRows, ModelsWithIndependentRowsAreBatched) {
  const std::function<Rows(const Rows&)> honest[] = {
      [](const Rows& rows) { return rows; },
      [](const Rows& rows) { return Plus(rows, 3); },
      [](const Rows& rows) { return Rows(rows.size(), std::vector<float>(kWidth, 2)); },
      [](Rows rows) {
        for (auto& row : rows) {
          float sum = 0;
          for (float& element : row) sum += element = std::exp(std::min(element, 50.f));
          for (float& element : row) element /= sum;
        }
        return rows;
      },
  };
  for (const auto& function : honest) {
    const Batchability result = Probe(function);
    EXPECT_TRUE(result.batched) << result.reason;
    EXPECT_EQ(result.max_rows, 64);
  }
}

TEST(ProbeOfRows, LargeRequestsAreComparedHoweverSmallTheBatches) {
  for (const int64_t max_rows : {1, 2, 4, 8, 16, 64}) {
    for (const size_t by : {10, 60, 300}) {
      const Batchability result =
          Probe([by](const Rows& rows) { return Lag(rows, by); }, {.max_rows = max_rows});
      EXPECT_FALSE(result.batched) << max_rows << " rows, lag " << by;
    }
  }
}

TEST(ProbeOfRows, AModelThatRefusesMoreRowsThanABatchHasIsBatched) {
  const SteadyClock clock;
  FunctionExecutor small([](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    if (inputs[0].shape.dims[0] > 100) return Status(Code::kInternal, "Too many");
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  const Batchability result = ProbeBatching(Named("N", "N"), small, clock, {});
  EXPECT_TRUE(result.batched) << result.reason;
  EXPECT_EQ(result.max_rows, 64);
}

TEST(ProbeOfRows, RowsThatAModelRefusesAreLeftOut) {
  const SteadyClock clock;
  FunctionExecutor picky([](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    for (const float value : ValuesOf<float>(inputs[0])) {
      if (!(std::abs(value) < 100)) return Status(Code::kInternal, "Out of range");
    }
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  EXPECT_TRUE(ProbeBatching(Named("N", "N"), picky, clock, {}).batched);
}

TEST(ProbeOfRows, AModelWhoseBatchesFailIsNotBatched) {
  const Batchability result = Probe([](const Rows& rows) { return rows; });
  EXPECT_TRUE(result.batched);
  const SteadyClock clock;
  FunctionExecutor alone([](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    if (inputs[0].shape.dims[0] > 20) return Status(Code::kInternal, "Too many");
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  EXPECT_EQ(ProbeBatching(Named("N", "N"), alone, clock, {}).reason,
            "32 rows together fail, which run alone");
}

TEST(ProbeOfRows, ASlowModelIsBatchedUpToTheSizeThatWasRun) {
  Slow clock;
  int64_t rows = 0;
  FunctionExecutor slow([&](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    rows += inputs[0].shape.dims[0];
    clock.now += inputs[0].shape.dims[0] * 200'000'000;
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  const Batchability result = ProbeBatching(Named("N", "N"), slow, clock, {});
  EXPECT_TRUE(result.batched);
  EXPECT_EQ(result.max_rows, 5);
  EXPECT_NE(result.reason.find("at most 5 rows"), std::string::npos) << result.reason;
  EXPECT_LE(rows, 10);
}

TEST(ProbeOfRows, AModelOfTenMillisecondsIsCheckedUpToHalfASecond) {
  Slow clock;
  FunctionExecutor slow([&](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    clock.now += inputs[0].shape.dims[0] * 10'000'000;
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  const Batchability result = ProbeBatching(Named("N", "N"), slow, clock, {});
  EXPECT_EQ(result.max_rows, 32);
  EXPECT_LE(clock.now, 1'000'000'000);
}

TEST(ProbeOfRows, NumbersOfRowsThatThereIsNoTimeForAreNotShared) {
  Slow clock;
  std::set<int64_t> ran;
  FunctionExecutor slow([&](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    ran.insert(inputs[0].shape.dims[0]);
    clock.now += inputs[0].shape.dims[0] * 1'000'000;
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    return Status();
  });
  const Batchability result = ProbeBatching(Named("N", "N"), slow, clock, {});
  EXPECT_TRUE(result.batched);
  EXPECT_EQ(result.max_rows, 64);
  ASSERT_FALSE(result.compared_rows.empty());
  EXPECT_TRUE(std::ranges::is_sorted(result.compared_rows));
  EXPECT_LT(result.compared_rows.size(), 63u);
  for (const int64_t rows : result.compared_rows) EXPECT_TRUE(ran.contains(rows)) << rows;
  for (const int64_t rows : {2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 64}) {
    EXPECT_TRUE(std::ranges::binary_search(result.compared_rows, rows)) << rows;
  }
}

TEST(ProbeOfRows, EveryNumberOfRowsOfAQuickModelIsRun) {
  std::set<size_t> ran;
  const Batchability result = Probe([&ran](const Rows& rows) {
    ran.insert(rows.size());
    return rows;
  });
  EXPECT_TRUE(result.batched);
  EXPECT_TRUE(result.compared_rows.empty());
  for (size_t rows = 1; rows <= 64; ++rows) EXPECT_TRUE(ran.contains(rows)) << rows;
}

TEST(NamesOfRows, AnotherNameOfAnOutputsRowsPreventsBatching) {
  const SteadyClock clock;
  FunctionExecutor identity = Model([](const Rows& rows) { return rows; });
  const Batchability result = ProbeBatching(Named("boxes", "kept"), identity, clock, {});
  EXPECT_FALSE(result.batched);
  EXPECT_EQ(result.reason,
            "Dimension 0 of output 'out' is 'kept', but that of the inputs is 'boxes', so that it is "
            "not known to count rows: declare maxRows to batch anyway");
}

TEST(NamesOfRows, NamesThatExportersGenerateAreIgnored) {
  const SteadyClock clock;
  for (const auto& [input, output] :
       {std::pair("unk__6", "unk__7"), {"batch", "Gemmy_dim_0"}, {"s0", "s1"}, {"", "batch"},
        {"batch", ""}, {"DynamicDimension.0", "DynamicDimension.1"}}) {
    FunctionExecutor identity = Model([](const Rows& rows) { return rows; });
    const Signature signature = Named(input, output);
    EXPECT_TRUE(ProbeBatching(signature, identity, clock, {}).batched) << input << ' ' << output;
    EXPECT_FALSE(ProbeBatching(signature, identity, clock, {.data_sized = true}).batched);
  }
  // Unbacked: made of data.
  EXPECT_FALSE(IsMadeUpName("u0"));
  EXPECT_FALSE(IsMadeUpName("seq"));
}

TEST(NamesOfRows, InputsOfTwoNamesAreNotBatched) {
  const SteadyClock clock;
  Signature signature = Named("images", "images");
  signature.inputs.push_back({"text", ElementType::kFloat32, {-1, kWidth}, {"texts", ""}});
  FunctionExecutor identity = Model([](const Rows& rows) { return rows; });
  EXPECT_FALSE(ProbeBatching(signature, identity, clock, {}).batched);
}

TEST(NamesOfRows, EqualNamesAllowBatching) {
  const SteadyClock clock;
  FunctionExecutor identity = Model([](const Rows& rows) { return rows; });
  EXPECT_TRUE(ProbeBatching(Named("N", "N"), identity, clock, {.data_sized = true}).batched);
}

}  // namespace
}  // namespace millrace
