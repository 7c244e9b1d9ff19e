// Tests of device shapes, the closed set of shapes that a GPU is prepared for.
#include <gtest/gtest.h>

#include "ort/device_shapes.h"
#include "support/requests.h"

namespace millrace {
namespace {

using test::MakeShape;

// Texts [N, L] with a scale that does not change.
Signature Texts() {
  return {{{"ids", ElementType::kInt64, {-1, -1}, {"N", "L"}},
           {"scale", ElementType::kFloat32, {1}, {""}}},
          {}};
}

DeviceShape Text(int64_t rows, int64_t length) {
  return {rows, {MakeShape({rows, length}), MakeShape({1})}};
}

TEST(NameWithoutProfile, IsOneWithAColonOrACommaOfADynamicInput) {
  const auto named = [](const char* name, int64_t rows) {
    Signature signature;
    signature.inputs.push_back({name, ElementType::kFloat32, {rows, 3}, {}});
    return NameWithoutProfile(signature);
  };
  EXPECT_EQ(named("input:0", -1), "input:0");
  EXPECT_EQ(named("a,b", -1), "a,b");
  EXPECT_EQ(named("input:0", 1), "") << "its shape needs no profile";
  EXPECT_EQ(named("input", -1), "");
}

TEST(SortDeviceShapes, PutsThemInOrderAndKeepsEachOnce) {
  std::vector<DeviceShape> shapes = {Text(4, 32), Text(1, 16), Text(4, 16), Text(1, 16), Text(1, 32)};
  ASSERT_TRUE(SortDeviceShapes(Texts(), shapes).ok());
  std::vector<int64_t> elements;
  for (const DeviceShape& shape : shapes) elements.push_back(*shape.inputs[0].Elements());
  EXPECT_EQ(elements, (std::vector<int64_t>{16, 32, 64, 128}));
}

TEST(SortDeviceShapes, RefusesShapesThatTheModelDoesNotTake) {
  for (const Shape& wrong : {MakeShape({2}), MakeShape({2, 0}), MakeShape({int64_t{1} << 40, int64_t{1} << 40})}) {
    std::vector<DeviceShape> shapes = {{2, {wrong, MakeShape({1})}}};
    const Status status = SortDeviceShapes(Texts(), shapes);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find("'ids'"), std::string::npos);
  }
  std::vector<DeviceShape> fixed = {{2, {MakeShape({2, 3}), MakeShape({2})}}};
  EXPECT_NE(SortDeviceShapes(Texts(), fixed).message().find("'scale'"), std::string::npos);
}

TEST(SortDeviceShapes, RefusesMoreThanADeviceIsWarmedFor) {
  const auto lengths_up_to = [](size_t longest) {
    std::vector<DeviceShape> shapes;
    for (size_t length = 1; length <= longest; ++length) {
      shapes.push_back(Text(1, static_cast<int64_t>(length)));
    }
    return shapes;
  };
  std::vector<DeviceShape> many = lengths_up_to(kMaxDeviceShapes + 1);
  EXPECT_NE(SortDeviceShapes(Texts(), many).message().find("513 combinations"), std::string::npos);
  std::vector<DeviceShape> all = lengths_up_to(kMaxDeviceShapes);
  EXPECT_TRUE(SortDeviceShapes(Texts(), all).ok());
}

TEST(FindDeviceShape, TakesTheSmallestThatHoldsTheRows) {
  std::vector<DeviceShape> shapes = {Text(1, 16), Text(8, 16), Text(4, 16), Text(4, 32)};
  ASSERT_TRUE(SortDeviceShapes(Texts(), shapes).ok());
  const auto rows_of = [&shapes](int64_t rows, int64_t length, bool batched) -> int64_t {
    const std::vector<Shape> inputs = {MakeShape({rows, length}), MakeShape({1})};
    const auto found = FindDeviceShape(shapes, inputs, batched);
    return found ? shapes[*found].rows : 0;
  };
  EXPECT_EQ(rows_of(0, 16, true), 1);
  EXPECT_EQ(rows_of(2, 16, true), 4);
  EXPECT_EQ(rows_of(4, 16, true), 4);
  EXPECT_EQ(rows_of(5, 16, true), 8);
  EXPECT_EQ(rows_of(9, 16, true), 0);
  EXPECT_EQ(rows_of(2, 17, true), 0);
  EXPECT_EQ(rows_of(2, 16, false), 0) << "not rows: only the equal shape";
  EXPECT_EQ(rows_of(4, 16, false), 4);
}

TEST(FindDeviceShape, RefusesOtherRanksAndNumbersOfInputs) {
  const std::vector<DeviceShape> shapes = {Text(1, 16)};
  EXPECT_FALSE(FindDeviceShape(shapes, std::vector<Shape>{MakeShape({1, 16})}, true));
  EXPECT_FALSE(FindDeviceShape(shapes, std::vector<Shape>{MakeShape({1}), MakeShape({1})}, true));
  EXPECT_FALSE(FindDeviceShape({}, std::vector<Shape>{}, true));
}

TEST(MakeProfile, SpansTheDeviceShapesOfDynamicInputs) {
  std::vector<DeviceShape> shapes = {Text(1, 32), Text(8, 16), Text(4, 64)};
  ASSERT_TRUE(SortDeviceShapes(Texts(), shapes).ok());
  const Profile profile = MakeProfile(Texts(), shapes);
  EXPECT_EQ(profile.min, "ids:1x16");
  EXPECT_EQ(profile.opt, "ids:4x64");
  EXPECT_EQ(profile.max, "ids:8x64");
}

TEST(MakeProfile, SeparatesInputsByCommas) {
  const Signature signature = {{{"a", ElementType::kFloat32, {-1, 3}, {"", ""}},
                                {"b", ElementType::kFloat32, {-1}, {""}}},
                               {}};
  const std::vector<DeviceShape> shapes = {{1, {MakeShape({1, 3}), MakeShape({1})}},
                                           {2, {MakeShape({2, 3}), MakeShape({2})}}};
  EXPECT_EQ(MakeProfile(signature, shapes).max, "a:2x3,b:2");
  EXPECT_EQ(MakeProfile(signature, {}).max, "");
  EXPECT_EQ(MakeProfile({}, shapes).min, "");
}

}  // namespace
}  // namespace millrace
