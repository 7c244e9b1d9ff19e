#include "batching/quota.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(QuotaTest, EachPriorityHasItsOwnPlaces) {
  Quota quota({2, 1});
  EXPECT_TRUE(quota.Take(0));
  EXPECT_TRUE(quota.Take(0));
  EXPECT_FALSE(quota.Take(0));
  EXPECT_TRUE(quota.Take(1));
  EXPECT_FALSE(quota.Take(1));
  quota.Leave(0);
  EXPECT_FALSE(quota.Take(1));
  EXPECT_TRUE(quota.Take(0));
}

TEST(QuotaTest, APriorityWithoutALimitAlwaysHasAPlace) {
  Quota none({});
  Quota some({1, 0});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(none.Take(0));
    EXPECT_TRUE(none.Take(255));
    EXPECT_TRUE(some.Take(1));
    EXPECT_TRUE(some.Take(2));
  }
  some.Leave(2);
  EXPECT_TRUE(some.Take(0));
  EXPECT_FALSE(some.Take(0));
}

TEST(QuotaTest, ThreadsNeverHoldMorePlacesThanTheLimit) {
  constexpr uint32_t kPlaces = 3;
  Quota quota({kPlaces});
  std::atomic<uint32_t> held{0};
  std::atomic<uint32_t> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        if (!quota.Take(0)) continue;
        const uint32_t now = held.fetch_add(1) + 1;
        for (uint32_t seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        held.fetch_sub(1);
        quota.Leave(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kPlaces);
  for (uint32_t i = 0; i < kPlaces; ++i) EXPECT_TRUE(quota.Take(0));
  EXPECT_FALSE(quota.Take(0));
}

}  // namespace
}  // namespace millrace
