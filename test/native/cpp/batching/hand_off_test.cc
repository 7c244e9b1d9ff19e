#include "batching/hand_off.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(MeasureWake, IsTheTimeOfAWakeUp) {
  const Nanos wake = MeasureWake(SteadyClock());
  std::printf("waking a thread takes %.1f us\n", static_cast<double>(wake) * 1e-3);
  // A system call at least; a busy machine or a sanitizer makes it longer, but not half a throw's limit.
  EXPECT_GT(wake, 100);
  EXPECT_LT(wake, 5'000'000);
}

}  // namespace
}  // namespace millrace
