#include "batching/shape_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "support/clock.h"
#include "support/executors.h"
#include "support/shapes.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::LengthAxis;
using test::MakeShape;
using test::OwnedOutputs;
using test::Planned;
using test::ValuesOf;

// x float32 [N, L] -> y float32 [N, L], m float32 [N].
Signature ValuesAndMeans() {
  return {{{"x", ElementType::kFloat32, {-1, -1}, {"N", "L"}}},
          {{"y", ElementType::kFloat32, {-1, -1}, {"N", "L"}},
           {"m", ElementType::kFloat32, {-1}, {"N"}}}};
}

AxisSpec Length(std::vector<int64_t> lengths) {
  AxisSpec axis;
  axis.name = std::string("L");  // Of the literal itself GCC 12 sees a copy that is too long.
  axis.lengths = std::move(lengths);
  return axis;
}

// y = x, m = what `summary` makes of a row.
FunctionExecutor Model(std::function<float(std::span<const float>)> summary) {
  return FunctionExecutor([summary](auto inputs, OwnedOutputs& outputs) {
    const Shape& shape = inputs[0].shape;
    const auto values = ValuesOf<float>(inputs[0]);
    const auto length = static_cast<size_t>(shape.dims[1]);
    std::vector<float> summaries;
    for (size_t row = 0; row < static_cast<size_t>(shape.dims[0]); ++row) {
      summaries.push_back(summary(std::span(values).subspan(row * length, length)));
    }
    outputs.Add(ElementType::kFloat32, shape, values);
    outputs.Add(ElementType::kFloat32, MakeShape({shape.dims[0]}), summaries);
    return Status();
  });
}

float Sum(std::span<const float> row) {
  float sum = 0;
  for (const float value : row) sum += value;
  return sum;
}

class ShapeProbeTest : public testing::Test {
 protected:
  Status Probe(ShapePlan& plan, Executor& executor, const Signature& signature = ValuesAndMeans(),
               bool batched = true) {
    return ProbePadding(signature, executor, clock, batched, plan, reason);
  }

  test::FakeClock clock;
  std::string reason = "old";
};

TEST_F(ShapeProbeTest, RunsNothingWithoutADeclaration) {
  ShapePlan plan;
  FunctionExecutor model = Model(Sum);
  EXPECT_TRUE(Probe(plan, model).ok());
  EXPECT_EQ(model.runs, 0u);
  EXPECT_EQ(reason, "");
}

TEST_F(ShapeProbeTest, PaddingThatChangesNoOutputStaysOn) {
  for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{16, 32}, {1, 2}, {2}}) {
    ShapePlan plan = Planned(ValuesAndMeans(), {Length(lengths)});
    FunctionExecutor model = Model(Sum);
    EXPECT_TRUE(Probe(plan, model).ok());
    EXPECT_TRUE(plan.pads);
    EXPECT_EQ(reason, "");
    EXPECT_EQ(model.runs, 4u);
  }
}

TEST_F(ShapeProbeTest, PaddingThatChangesAnOutputIsTurnedOff) {
  FunctionExecutor mean = Model([](auto row) { return Sum(row) / static_cast<float>(row.size()); });
  for (const bool batched : {true, false}) {
    ShapePlan plan = Planned(ValuesAndMeans(), {Length({16, 32})});
    EXPECT_TRUE(Probe(plan, mean, ValuesAndMeans(), batched).ok());
    EXPECT_FALSE(plan.pads);
    EXPECT_EQ(reason,
              "Output 'm' differs where 'L' is padded, so that only requests of equal lengths are "
              "batched: declare another pad value or a mask");
  }
}

TEST_F(ShapeProbeTest, UsesTheDeclaredPadValue) {
  const auto least = [](auto row) { return *std::ranges::min_element(row); };
  const auto most = [](auto row) { return *std::ranges::max_element(row); };
  for (const double sign : {1.0, -1.0}) {
    FunctionExecutor extreme = sign > 0 ? Model(least) : Model(most);
    AxisSpec axis = Length({16});
    ShapePlan zeros = Planned(ValuesAndMeans(), {axis});
    EXPECT_TRUE(Probe(zeros, extreme).ok());
    EXPECT_FALSE(zeros.pads);
    axis.pad = sign * std::numeric_limits<double>::infinity();
    ShapePlan infinite = Planned(ValuesAndMeans(), {axis});
    EXPECT_TRUE(Probe(infinite, extreme).ok());
    EXPECT_TRUE(infinite.pads) << reason;
  }
}

TEST_F(ShapeProbeTest, RunsNothingForABucketOfLength1) {
  ShapePlan plan = Planned(ValuesAndMeans(), {Length({1})});
  FunctionExecutor model = Model(Sum);
  EXPECT_TRUE(Probe(plan, model).ok());
  EXPECT_EQ(model.runs, 0u);
  EXPECT_TRUE(plan.pads);
}

TEST_F(ShapeProbeTest, AModelThatRefusesMadeUpRowsIsPaddedAsDeclared) {
  ShapePlan plan = Planned(ValuesAndMeans(), {Length({16})});
  FunctionExecutor refuses([](auto, OwnedOutputs&) { return Status(Code::kInternal, "No"); });
  EXPECT_TRUE(Probe(plan, refuses).ok());
  EXPECT_TRUE(plan.pads);
  EXPECT_EQ(reason,
            "The load-time probe could not run the model on made-up rows: padding is as declared");
}

TEST_F(ShapeProbeTest, AModelThatFailsPaddedIsNotPadded) {
  ShapePlan plan = Planned(ValuesAndMeans(), {Length({16})});
  FunctionExecutor fails([](auto inputs, OwnedOutputs& outputs) {
    const auto values = ValuesOf<float>(inputs[0]);
    if (std::ranges::count(values, 0) > 0) return Status(Code::kInternal, "No");
    const int64_t rows = inputs[0].shape.dims[0];
    outputs.Add(ElementType::kFloat32, inputs[0].shape, values);
    outputs.Add(ElementType::kFloat32, MakeShape({rows}),
                std::vector<float>(static_cast<size_t>(rows)));
    return Status();
  });
  EXPECT_TRUE(Probe(plan, fails).ok());
  EXPECT_FALSE(plan.pads);
  EXPECT_TRUE(reason.starts_with("A run fails where 'L' is padded")) << reason;
}

// The lengths of y change with L, but the file names them otherwise.
TEST_F(ShapeProbeTest, AnOutputThatChangesWithoutADeclaredAxisIsRefused) {
  Signature signature = ValuesAndMeans();
  signature.outputs[0].symbols[1] = "M";
  FunctionExecutor model = Model(Sum);
  AxisSpec axis = Length({16});
  ShapePlan plan = Planned(signature, {axis});
  const Status status = Probe(plan, model, signature);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "Output dimension 'y:1' changes with the declared axes, but has no name of theirs: add "
            "'y:1' to `dimensions` of the axis whose length it has");
  axis.dimensions = {"y:1"};
  plan = Planned(signature, {axis});
  EXPECT_TRUE(Probe(plan, model, signature).ok());
  EXPECT_TRUE(plan.pads) << reason;
}

TEST_F(ShapeProbeTest, AnOutputOfAnotherLengthIsRefused) {
  FunctionExecutor twice([](auto inputs, OwnedOutputs& outputs) {
    const int64_t rows = inputs[0].shape.dims[0];
    const int64_t length = 2 * inputs[0].shape.dims[1];
    outputs.Add(ElementType::kFloat32, MakeShape({rows, length}),
                std::vector<float>(static_cast<size_t>(rows * length)));
    outputs.Add(ElementType::kFloat32, MakeShape({rows}),
                std::vector<float>(static_cast<size_t>(rows)));
    return Status();
  });
  ShapePlan plan = Planned(ValuesAndMeans(), {Length({16})});
  EXPECT_EQ(Probe(plan, twice).message(),
            "Output dimension 'y:1' is declared to have the length of 'L', but has 32 where that is "
            "16: leave that axis out");
}

// What exporters name after a node, because they could not infer that it is constant.
TEST_F(ShapeProbeTest, ADynamicDimensionThatDoesNotChangeNeedsNoAxis) {
  Signature signature = ValuesAndMeans();
  signature.outputs[1] = {"m", ElementType::kFloat32, {-1, -1}, {"N", "Addm_dim_1"}};
  FunctionExecutor model([](auto inputs, OwnedOutputs& outputs) {
    const int64_t rows = inputs[0].shape.dims[0];
    outputs.Add(ElementType::kFloat32, inputs[0].shape, ValuesOf<float>(inputs[0]));
    outputs.Add(ElementType::kFloat32, MakeShape({rows, 3}),
                std::vector<float>(static_cast<size_t>(rows * 3), 1));
    return Status();
  });
  ShapePlan plan = Planned(signature, {Length({16})});
  EXPECT_TRUE(Probe(plan, model, signature).ok());
  EXPECT_TRUE(plan.pads) << reason;
}

TEST_F(ShapeProbeTest, MasksAreOneForElementsOfTheRequest) {
  FunctionExecutor masked([](auto inputs, OwnedOutputs& outputs) {
    const Shape& shape = inputs[0].shape;
    const auto mask = ValuesOf<float>(inputs[1]);
    std::vector<int64_t> hidden;
    std::vector<int64_t> sums(static_cast<size_t>(shape.dims[0]));
    for (size_t i = 0; i < mask.size(); ++i) {
      hidden.insert(hidden.end(), 2, 7);
      sums[i / static_cast<size_t>(shape.dims[1])] += static_cast<int64_t>(mask[i]);
    }
    outputs.Add(ElementType::kInt64, MakeShape({shape.dims[0], shape.dims[1], 2}), hidden);
    outputs.Add(ElementType::kInt64, MakeShape({shape.dims[0]}), sums);
    return Status();
  });
  ShapePlan plan = Planned(test::TextSignature(), {LengthAxis({16})});
  EXPECT_TRUE(Probe(plan, masked, test::TextSignature()).ok());
  EXPECT_TRUE(plan.pads) << reason;
}

}  // namespace
}  // namespace millrace
