#include "batching/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace millrace {
namespace {

// The value of a float with that many bits of exponent and fraction, by its definition.
double Reference(uint32_t bits, int exponent_bits, int fraction_bits) {
  const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  const int exponent = static_cast<int>(bits >> fraction_bits & ((1u << exponent_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits >> (exponent_bits + fraction_bits) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  const double significand = fraction + (exponent == 0 ? 0.0 : std::ldexp(1, fraction_bits));
  return sign * std::ldexp(significand, std::max(exponent, 1) - bias - fraction_bits);
}

struct Kind {
  const char* name;
  int exponent_bits;
  int fraction_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(double);
};

class Half : public testing::TestWithParam<Kind> {
 protected:
  double Value(uint32_t bits) const {
    return Reference(bits, GetParam().exponent_bits, GetParam().fraction_bits);
  }
  uint16_t infinity() const {
    return static_cast<uint16_t>(((1u << GetParam().exponent_bits) - 1) << GetParam().fraction_bits);
  }
};

TEST_P(Half, ConvertsEvery16BitFloatThereAndBack) {
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    const float wide = GetParam().widen(static_cast<uint16_t>(bits));
    const double value = Value(bits);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      ASSERT_TRUE(std::isnan(Value(GetParam().narrow(wide)))) << bits;
      continue;
    }
    ASSERT_EQ(double{wide}, value) << bits;
    ASSERT_EQ(std::signbit(wide), std::signbit(value)) << bits;
    ASSERT_EQ(GetParam().narrow(wide), bits);
  }
}

TEST_P(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits + 1 < infinity(); ++bits) {
    const double low = Value(bits);
    const double high = Value(bits + 1);
    const double middle = (low + high) / 2;
    const uint32_t even = bits + (bits & 1);
    ASSERT_EQ(GetParam().narrow(middle), even) << bits;
    ASSERT_EQ(GetParam().narrow(std::nextafter(middle, low)), bits);
    ASSERT_EQ(GetParam().narrow(std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(GetParam().narrow(-middle), even | 0x8000u);
  }
}

TEST_P(Half, RoundsToInfinityBeyondTheRangeAndToZeroBelowIt) {
  const uint16_t infinite = infinity();
  const double largest = Value(infinite - 1u);
  const double step = largest - Value(infinite - 2u);
  EXPECT_EQ(GetParam().narrow(largest), infinite - 1);
  EXPECT_EQ(GetParam().narrow(std::nextafter(largest + step / 2, 0)), infinite - 1);
  EXPECT_EQ(GetParam().narrow(largest + step / 2), infinite);
  EXPECT_EQ(GetParam().narrow(std::numeric_limits<double>::max()), infinite);
  EXPECT_EQ(GetParam().narrow(-std::numeric_limits<double>::infinity()), infinite | 0x8000);
  EXPECT_EQ(GetParam().narrow(Value(1) / 2), 0);
  EXPECT_EQ(GetParam().narrow(std::nextafter(Value(1) / 2, 1)), 1);
  EXPECT_EQ(GetParam().narrow(-std::numeric_limits<double>::denorm_min()), 0x8000);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Half,
    testing::Values(Kind{"float16", 5, 10, HalfToFloat, DoubleToHalf},
                    Kind{"bfloat16", 8, 7, BfloatToFloat, DoubleToBfloat}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace millrace
