#include "batching/samples.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/requests.h"

namespace millrace {
namespace {

using test::ValuesOf;

Signature With(std::vector<TensorSpec> inputs) { return {std::move(inputs), {}}; }

Samples Make(const Signature& signature, size_t rows) {
  Samples samples;
  const Status status = Samples::Make(signature, rows, samples);
  EXPECT_TRUE(status.ok()) << status.message();
  return samples;
}

std::vector<int64_t> Dims(const TensorView& view) {
  return {view.shape.view().begin(), view.shape.view().end()};
}

TEST(Samples, FillEveryInputOfTheSignature) {
  const Samples samples = Make(With({{"a", ElementType::kFloat32, {-1, 3}, {}},
                                     {"b", ElementType::kInt64, {-1, -1}, {}},
                                     {"c", ElementType::kFloat64, {2}, {}},
                                     {"d", ElementType::kFloat32, {}, {}}}),
                               8);
  const auto views = samples.Rows(0, 8);
  ASSERT_EQ(views.size(), 4u);
  EXPECT_EQ(Dims(views[0]), (std::vector<int64_t>{8, 3}));
  EXPECT_EQ(Dims(views[1]), (std::vector<int64_t>{8, 4}));
  EXPECT_EQ(Dims(views[2]), std::vector<int64_t>{2});
  EXPECT_EQ(Dims(views[3]), std::vector<int64_t>{});
  EXPECT_EQ(views[0].bytes, 8u * 3 * 4);
  EXPECT_EQ(views[1].bytes, 8u * 4 * 8);
  EXPECT_EQ(views[2].bytes, 2u * 8);
  EXPECT_EQ(views[3].bytes, 4u);
}

TEST(Samples, RowsAreAPartOfAllRows) {
  const Samples samples = Make(With({{"a", ElementType::kFloat32, {-1, 3}, {}}}), 8);
  const auto all = ValuesOf<float>(samples.Rows(0, 8)[0]);
  const auto part = ValuesOf<float>(samples.Rows(2, 3)[0]);
  EXPECT_EQ(part, std::vector<float>(all.begin() + 6, all.begin() + 15));
  EXPECT_NE(std::vector<float>(all.begin(), all.begin() + 3),
            std::vector<float>(all.begin() + 3, all.begin() + 6));
}

TEST(Samples, AreTheSameEveryTime) {
  const Signature signature = With({{"a", ElementType::kFloat32, {-1, 3}, {}}});
  EXPECT_EQ(ValuesOf<float>(Make(signature, 4).Rows(0, 4)[0]),
            ValuesOf<float>(Make(signature, 4).Rows(0, 4)[0]));
}

TEST(Samples, IntegersAreValidIndicesOfAnything) {
  for (const ElementType type : {ElementType::kInt8, ElementType::kUint8, ElementType::kBool}) {
    const Samples samples = Make(With({{"a", type, {-1, 64}, {}}}), 2);
    for (const uint8_t value : ValuesOf<uint8_t>(samples.Rows(0, 2)[0])) EXPECT_LE(value, 1);
  }
  for (const ElementType type : {ElementType::kInt64, ElementType::kUint64}) {
    const Samples samples = Make(With({{"a", type, {-1, 64}, {}}}), 2);
    for (const uint64_t value : ValuesOf<uint64_t>(samples.Rows(0, 2)[0])) EXPECT_LE(value, 1u);
  }
}

TEST(Samples, FloatsAreFinite) {
  const Samples samples = Make(With({{"a", ElementType::kFloat32, {-1, 64}, {}},
                                     {"b", ElementType::kFloat16, {-1, 64}, {}},
                                     {"c", ElementType::kBfloat16, {-1, 64}, {}}}),
                               4);
  const auto views = samples.Rows(0, 4);
  for (const float value : ValuesOf<float>(views[0])) EXPECT_TRUE(std::isfinite(value));
  for (const uint16_t bits : ValuesOf<uint16_t>(views[1])) EXPECT_NE(bits & 0x7c00, 0x7c00);
  for (const uint16_t bits : ValuesOf<uint16_t>(views[2])) EXPECT_NE(bits & 0x7f80, 0x7f80);
}

TEST(Samples, StringsAreEmpty) {
  const Samples samples = Make(With({{"a", ElementType::kString, {-1, 2}, {}}}), 4);
  const TensorView view = samples.Rows(1, 2)[0];
  EXPECT_EQ(view.bytes, 0u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(view.strings[i].size(), 1u);
}

TEST(Samples, RowsMayHaveNoElements) {
  const Samples samples = Make(With({{"a", ElementType::kFloat32, {-1, 0}, {}}}), 4);
  EXPECT_EQ(Dims(samples.Rows(0, 4)[0]), (std::vector<int64_t>{4, 0}));
  EXPECT_EQ(samples.Rows(0, 4)[0].bytes, 0u);
}

TEST(Samples, TooMuchMemoryIsRefused) {
  Samples samples;
  const Status rows = Samples::Make(With({{"wide", ElementType::kUint8, {-1, 1 << 20}, {}}}), 17, samples);
  EXPECT_EQ(rows.code(), Code::kInvalidArgument);
  EXPECT_NE(rows.message().find("'wide'"), std::string::npos);
  const Status overflow = Samples::Make(
      With({{"huge", ElementType::kUint8, {-1, int64_t{1} << 40, int64_t{1} << 40}, {}}}), 1, samples);
  EXPECT_EQ(overflow.code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
