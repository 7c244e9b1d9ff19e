#include "batching/backlog.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace {
namespace {

constexpr Nanos kMs = 1'000'000;
// Far from 0, as times of a real clock are.
constexpr Nanos kNow = 86'400'000 * kMs;

TEST(Backlog, CountsRequestsThatAreDueBeforeAndNotAfter) {
  Backlog backlog;
  backlog.Add(0, kNow + 20 * kMs, kNow, 100);
  backlog.Add(0, kNow + 60 * kMs, kNow, 1000);
  EXPECT_EQ(backlog.Ahead(0, kNow + 5 * kMs, kNow), 0);
  EXPECT_EQ(backlog.Ahead(0, kNow + 40 * kMs, kNow), 100);
  EXPECT_EQ(backlog.Ahead(0, kNow + 80 * kMs, kNow), 1100);
  EXPECT_EQ(backlog.Total(), 1100);
}

TEST(Backlog, RequestsThatAreDueAtTheSameTimeCountAsAhead) {
  Backlog backlog;
  backlog.Add(0, kNow + 20 * kMs, kNow, 100);
  EXPECT_EQ(backlog.Ahead(0, kNow + 20 * kMs, kNow), 100);
}

TEST(Backlog, PrioritiesComeBeforeTimes) {
  Backlog backlog;
  backlog.Add(0, kNow + 500 * kMs, kNow, 1);
  backlog.Add(3, kNow + 10 * kMs, kNow, 10);
  backlog.Add(200, kNow + 10 * kMs, kNow, 100);
  EXPECT_EQ(backlog.Ahead(0, kNow + 100 * kMs, kNow), 0);
  EXPECT_EQ(backlog.Ahead(3, kNow + 100 * kMs, kNow), 11);
  EXPECT_EQ(backlog.Ahead(255, kNow + 100 * kMs, kNow), 111);
}

TEST(Backlog, RequestsWithoutADeadlineAreBehindThoseWithOne) {
  Backlog backlog;
  backlog.Add(0, kNow + 1000 * kMs, kNow, 100);
  EXPECT_EQ(backlog.Ahead(0, kNow + 500 * kMs, kNow), 0);
  EXPECT_EQ(backlog.Ahead(0, kNow + 2000 * kMs, kNow), 100);
  EXPECT_EQ(backlog.Ahead(0, kNever, kNow), 100);
}

TEST(Backlog, OverdueRequestsAreStillAhead) {
  Backlog backlog;
  backlog.Add(0, kNow + 10 * kMs, kNow, 100);
  EXPECT_EQ(backlog.Ahead(0, kNow + 150 * kMs, kNow + 100 * kMs), 100);
}

TEST(Backlog, RemovedRequestsDoNotCount) {
  Backlog backlog;
  std::vector<Backlog::Place> places;
  for (Nanos i = 0; i < 1000; ++i) {
    places.push_back(backlog.Add(static_cast<uint8_t>(i), kNow + i * kMs, kNow + i, i));
  }
  EXPECT_EQ(backlog.Total(), 999 * 1000 / 2);
  for (const Backlog::Place& place : places) backlog.Remove(place);
  EXPECT_EQ(backlog.Total(), 0);
  EXPECT_EQ(backlog.Ahead(255, kNever, kNow), 0);
}

TEST(Backlog, CountsExactlyFromSeveralThreads) {
  Backlog backlog;
  std::vector<std::thread> threads;
  for (Nanos thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&backlog, thread] {
      for (Nanos i = 0; i < 20'000; ++i) {
        const auto place = backlog.Add(0, kNow + (i % 300) * kMs, kNow, thread + i);
        EXPECT_GE(backlog.Ahead(0, kNow + 300 * kMs, kNow), 0);
        backlog.Remove(place);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(backlog.Total(), 0);
  EXPECT_EQ(backlog.Ahead(0, kNever, kNow), 0);
}

}  // namespace
}  // namespace millrace
