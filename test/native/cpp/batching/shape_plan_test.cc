#include "batching/shape_plan.h"

#include <gtest/gtest.h>

#include "support/shapes.h"

namespace millrace {
namespace {

using test::LengthAxis;
using test::MakeShape;
using test::Planned;
using test::TextSignature;

Signature ImageSignature() {
  return {{{"image", ElementType::kUint8, {-1, 3, -1, -1}, {"N", "", "H", "W"}}},
          {{"turned", ElementType::kUint8, {-1, -1, -1}, {"N", "W", "H"}}}};
}

AxisSpec Axis(std::string name, std::vector<int64_t> lengths) {
  AxisSpec axis;
  axis.name = std::move(name);
  axis.lengths = std::move(lengths);
  return axis;
}

TEST(ShapePlan, WithoutDeclarationsNothingChanges) {
  const ShapePlan& plan = ShapePlan::OrNone(nullptr);
  EXPECT_EQ(plan.buckets(), 1u);
  EXPECT_EQ(plan.Join(0, 0), 0u);
  EXPECT_EQ(plan.InputShape(3, MakeShape({2, 7}), 0), MakeShape({2, 7}));
  EXPECT_EQ(plan.RunRows(5), 5);
  EXPECT_EQ(plan.RowLimit(1000, 64), 64);
  EXPECT_FALSE(plan.IsMask(0));
  EXPECT_EQ(plan.Find({}), 0u);
  EXPECT_EQ(plan.AxisOfRows(), "");
}

TEST(ShapePlan, FollowsTheSymbolInInputsAndOutputs) {
  const ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8})});
  for (const size_t input : {0, 1}) {
    EXPECT_EQ(plan.InputAxis(input, 0), ShapePlan::kNone);
    EXPECT_EQ(plan.InputAxis(input, 1), 0);
  }
  EXPECT_EQ(plan.OutputAxis(0, 1), 0);
  EXPECT_EQ(plan.OutputAxis(0, 2), ShapePlan::kNone);
  EXPECT_EQ(plan.OutputAxis(1, 0), ShapePlan::kNone);
  EXPECT_TRUE(plan.IsMask(1));
  EXPECT_FALSE(plan.IsMask(0));
}

TEST(ShapePlan, DimensionsWithoutANameAreDeclaredByTheirPlace) {
  const Signature unnamed = {{{"x:0", ElementType::kFloat32, {-1, -1}, {"", ""}}},
                             {{"y", ElementType::kFloat32, {-1, -1}, {"", ""}}}};
  AxisSpec axis = Axis("x:0:1", {4});
  axis.dimensions = {"y:1"};
  const ShapePlan plan = Planned(unnamed, {axis});
  EXPECT_EQ(plan.InputAxis(0, 1), 0);
  EXPECT_EQ(plan.OutputAxis(0, 1), 0);
}

TEST(ShapePlan, BucketsAreEveryCombinationOfLengths) {
  const ShapePlan plan =
      Planned(ImageSignature(), {Axis("H", {16, 32}), Axis("W", {10, 20, 30})});
  ASSERT_EQ(plan.buckets(), 6u);
  for (size_t bucket = 0; bucket < 6; ++bucket) {
    const std::vector<int64_t> lengths = plan.Lengths(bucket);
    EXPECT_EQ(plan.Find({{"H", lengths[0]}, {"W", lengths[1]}}), bucket);
  }
  EXPECT_EQ(plan.Lengths(0), (std::vector<int64_t>{16, 10}));
  EXPECT_EQ(plan.Lengths(5), (std::vector<int64_t>{32, 30}));
  const auto tall = plan.Find({{"H", 32}, {"W", 10}});
  const auto wide = plan.Find({{"H", 16}, {"W", 30}});
  EXPECT_EQ(plan.Lengths(plan.Join(*tall, *wide)), (std::vector<int64_t>{32, 30}));
  EXPECT_EQ(plan.Join(*tall, *tall), *tall);
  EXPECT_EQ(plan.Find({{"H", 17}, {"W", 10}}), std::nullopt);
  EXPECT_EQ(plan.Find({{"H", 16}}), std::nullopt);
  EXPECT_EQ(plan.InputShape(0, MakeShape({2, 3, 5, 6}), *wide), MakeShape({2, 3, 16, 30}));
}

TEST(ShapePlan, ARequestGetsTheSmallestBucketThatHoldsIt) {
  const ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8, 16})});
  test::Texts texts(plan);
  for (const auto& [length, bucket] : std::map<int64_t, uint32_t>{
           {0, 0}, {1, 0}, {4, 0}, {5, 1}, {8, 1}, {9, 2}, {16, 2}}) {
    EXPECT_EQ(texts.Make(1, length)->bucket, bucket) << length;
  }
}

TEST(ShapePlan, RefusesRequestsThatAreTooLongOrOfUnequalLengths) {
  const ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8})});
  Request request;
  const auto place = [&](int64_t ids, int64_t mask, int64_t rows = 1) {
    request.inputs.resize(2);
    request.inputs[0].view.shape = MakeShape({rows, ids});
    request.inputs[1].view.shape = MakeShape({rows, mask});
    const Status status = plan.Place(TextSignature(), request);
    return status.ok() ? "" : status.message();
  };
  EXPECT_EQ(place(8, 8), "");
  EXPECT_EQ(place(9, 9), "Input 'ids' has length 9 along 'L', but the model takes at most 8");
  EXPECT_EQ(place(int64_t{1} << 53, 1),
            "Input 'ids' has length 9007199254740992 along 'L', but the model takes at most 8");
  EXPECT_EQ(place(3, 4), "Input 'mask' has length 4 along 'L', but 'ids' has 3");
  // Nothing to read, but much to pad.
  EXPECT_EQ(place(0, 0, int64_t{1} << 31),
            "Input 'ids' is too large when it is padded: send fewer rows");
  EXPECT_EQ(place(0, 0, INT64_MAX), "Input 'ids' is too large when it is padded: send fewer rows");
}

TEST(ShapePlan, AMaskHasTheRequestsOwnLengths) {
  const ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8})});
  test::Texts texts(plan);
  const Request* const request = texts.Make(1, 3, 2);
  EXPECT_EQ(plan.MaskShape(TextSignature().inputs[1], 1, *request), MakeShape({2, 3}));
}

TEST(ShapePlan, RowsAreFilledUpToTheSizesThatRun) {
  ShapePlan plan;
  plan.row_sizes = {1, 4, 16};
  EXPECT_EQ(plan.RunRows(0), 1);
  EXPECT_EQ(plan.RunRows(2), 4);
  EXPECT_EQ(plan.RunRows(16), 16);
  EXPECT_EQ(plan.RunRows(17), 17);
  plan.max_elements = 100;
  EXPECT_EQ(plan.RowLimit(10, 64), 4);
  EXPECT_EQ(plan.RowLimit(0, 64), 16);
  EXPECT_EQ(plan.RowLimit(1000, 64), 1);
}

// A device fills a batch up to one of these sizes.
TEST(ShapePlan, ADevicePreparesOnlySizesThatRequestsMayShare) {
  ShapePlan plan;
  using Sizes = std::vector<int64_t>;
  EXPECT_EQ(plan.PreparedRows(1), Sizes{1});
  EXPECT_EQ(plan.PreparedRows(12), (Sizes{1, 2, 4, 8, 12}));
  plan.shared_rows = {2, 3, 8, 12};
  EXPECT_EQ(plan.PreparedRows(12), (Sizes{1, 2, 8, 12}));
  plan.row_sizes = {4, 12};
  EXPECT_EQ(plan.PreparedRows(12), (Sizes{4, 12}));
}

TEST(ShapePlan, ElementsLimitTheRows) {
  ShapePlan plan;
  plan.max_elements = 128;
  EXPECT_EQ(plan.RowLimit(16, 64), 8);
  EXPECT_EQ(plan.RowLimit(1, 64), 64);
  EXPECT_EQ(plan.RowLimit(129, 64), 1);
  EXPECT_EQ(plan.RowLimit(INT64_MAX, 64), 1);
}

TEST(ShapePlan, OutputsMustHaveTheLengthOfTheirAxis) {
  const ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8})});
  test::Texts texts(plan);
  Request* const request = texts.Make(1, 3);
  std::vector<TensorView> outputs(2);
  outputs[0].shape = MakeShape({1, 4, 2});
  outputs[1].shape = MakeShape({1});
  EXPECT_TRUE(plan.CheckOutputs(outputs, *request, 0).ok());
  EXPECT_EQ(plan.CheckOutputs(outputs, *request, 1).code(), Code::kInternal);
  plan.SetOwnShapes(outputs, true, *request);
  EXPECT_EQ(request->own_shapes[0], MakeShape({1, 3, 2}));
  EXPECT_EQ(request->own_shapes[1], MakeShape({1}));
  // A rank that the signature does not tell of.
  outputs[0].shape = MakeShape({1});
  EXPECT_EQ(plan.CheckOutputs(outputs, *request, 0).code(), Code::kInternal);
  outputs[1].shape = MakeShape({1, 7});
  plan.SetOwnShapes(outputs, true, *request);
  EXPECT_EQ(request->own_shapes[1], MakeShape({1, 7}));
}

TEST(ShapePlan, ReportsAnAxisAlongDimension0) {
  EXPECT_EQ(Planned(TextSignature(), {LengthAxis({4})}).AxisOfRows(), "");
  EXPECT_EQ(Planned(TextSignature(), {Axis("N", {4})}).AxisOfRows(), "N");
}

struct Refusal {
  const char* name;
  std::function<void(AxisSpec&)> change;
  const char* sentence;
};

class ShapePlanRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(ShapePlanRefuses, WithAMessage) {
  AxisSpec axis = LengthAxis({4, 8});
  GetParam().change(axis);
  ShapePlan plan;
  const Status status = ShapePlan::Make(TextSignature(), std::span(&axis, 1), plan);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(), GetParam().sentence);
}

const Refusal kRefusals[] = {
    {"UnknownAxis", [](AxisSpec& a) { a.name = "length"; },
     "No input has a dimension named 'length': it can be 'N', 'L'"},
    {"NoName", [](AxisSpec& a) { a.name = ""; },
     "No input has a dimension named '': it can be 'N', 'L'"},
    {"UnknownTensor", [](AxisSpec& a) { a.name = "words:1"; },
     "The model has no input or output 'words', which axis 'words:1' names"},
    {"StaticDimension", [](AxisSpec& a) { a.dimensions = {"hidden:2"}; },
     "'hidden:2' of axis 'L' is no dynamic dimension of the model"},
    {"DimensionBeyondTheRank", [](AxisSpec& a) { a.dimensions = {"hidden:3"}; },
     "'hidden:3' of axis 'L' is no dynamic dimension of the model"},
    {"NoDimension", [](AxisSpec& a) { a.dimensions = {"hidden"}; },
     "'hidden' of axis 'L' is no dimension: expected tensor:dimension, such as 'x:1'"},
    {"NoLengths", [](AxisSpec& a) { a.lengths.clear(); },
     "Axis 'L' needs buckets: ascending lengths, each at least 1"},
    {"LengthsInDisorder", [](AxisSpec& a) { a.lengths = {8, 4}; },
     "Axis 'L' needs buckets: ascending lengths, each at least 1"},
    {"LengthsTwice", [](AxisSpec& a) { a.lengths = {4, 4}; },
     "Axis 'L' needs buckets: ascending lengths, each at least 1"},
    {"LengthOfZero", [](AxisSpec& a) { a.lengths = {0, 4}; },
     "Axis 'L' needs buckets: ascending lengths, each at least 1"},
    {"LengthTooGreat", [](AxisSpec& a) { a.lengths = {4, INT64_MAX}; },
     "Axis 'L' needs buckets: ascending lengths, each at least 1"},
    {"TooManyLengths",
     [](AxisSpec& a) {
       a.lengths.clear();
       for (int64_t length = 1; length <= 257; ++length) a.lengths.push_back(length);
     },
     "The axes have too many combinations of buckets: at most 256 are possible, so declare fewer "
     "lengths"},
    {"UnknownMask", [](AxisSpec& a) { a.mask = "masque"; },
     "The mask 'masque' is no input that has a dimension of axis 'L'"},
    {"OnlyTheMask",
     [](AxisSpec& a) {
       a.name = "mask:1";
       a.pads.clear();
     },
     "Axis 'mask:1' is along no input but its mask, and clients may leave that out"},
    {"UnknownPad", [](AxisSpec& a) { a.pads["words"] = 0.0; },
     "Axis 'L' has a pad value for 'words', which is no input that has a dimension of it"},
    {"PadOfAnotherType", [](AxisSpec& a) { a.pads["ids"] = 0.5; },
     "The pad value of input 'ids' does not fit the type int64"},
    {"PadOfTheMask", [](AxisSpec& a) { a.pads["mask"] = 1.0; },
     "The mask 'mask' is padded with 0: leave its pad value out"},
};
INSTANTIATE_TEST_SUITE_P(All, ShapePlanRefuses, testing::ValuesIn(kRefusals),
                         [](const auto& refusal) { return refusal.param.name; });

TEST(ShapePlan, HasAtMostFourAxes) {
  Signature signature = {{{"x", ElementType::kFloat32, {-1, -1, -1, -1, -1, -1}, {}}}, {}};
  std::vector<AxisSpec> axes;
  for (int axis = 1; axis <= 5; ++axis) axes.push_back(Axis("x:" + std::to_string(axis), {4}));
  ShapePlan plan;
  EXPECT_TRUE(ShapePlan::Make(signature, std::span(axes).first(4), plan).ok());
  EXPECT_EQ(ShapePlan::Make(signature, axes, plan).message(), "At most 4 axes can be declared");
}

TEST(ShapePlan, RefusesAxesThatContradictEachOther) {
  const auto refused = [](std::vector<AxisSpec> axes) {
    ShapePlan plan;
    return ShapePlan::Make(ImageSignature(), axes, plan).message();
  };
  AxisSpec turned = Axis("W", {4});
  turned.dimensions = {"image:2"};
  EXPECT_EQ(refused({Axis("H", {4}), turned}), "Dimension 'image:2' is declared for two axes");
  AxisSpec one = Axis("H", {4});
  AxisSpec two = Axis("W", {4});
  one.pad = 1.0;
  two.pad = 2.0;
  EXPECT_EQ(refused({one, two}), "Input 'image' has two pad values, of different axes");
  EXPECT_EQ(refused({Axis("image:2", {4}), Axis("H", {4})}),
            "Dimension 'image:2' is declared for two axes");
}

}  // namespace
}  // namespace millrace
