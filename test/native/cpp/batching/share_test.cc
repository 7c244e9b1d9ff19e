#include "batching/share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <vector>

#include "batching/clock.h"

namespace millrace {
namespace {

using Member = DeviceShare::Member;

// So long that a worker which waited for nothing would hang its test.
constexpr Nanos kForever = 3'600'000'000'000;

// A member that always has workers waiting, and what it has got.
struct Rival {
  Rival(double weight, Nanos length) : member(weight), run(length) {}
  Member member;
  const Nanos run;  // length of one run
  std::atomic<Nanos> used{0};
};

// Gives `turns` turns of one slot to members that want every one of them. Runs take no real time, and
// none ends before every other worker is back in the queue, so that chance has no part in it.
void Saturate(const std::vector<Rival*>& rivals, int turns) {
  constexpr int kWorkers = 2;
  DeviceShare share(1, kForever);
  const int workers = static_cast<int>(rivals.size()) * kWorkers;
  std::atomic<int> left{turns};
  std::atomic<bool> over{false};
  for (Rival* rival : rivals) share.Join(rival->member, 1);
  const auto waiting = [&] {
    int sum = 0;
    for (const Rival* rival : rivals) sum += share.Waiting(rival->member);
    return sum;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i) {
    threads.emplace_back([&, rival = rivals[static_cast<size_t>(i / kWorkers)]] {
      while (!over.load()) {
        share.Acquire(rival->member);
        while (!over.load() && waiting() < workers - 1) std::this_thread::yield();
        if (left.fetch_sub(1) <= 0) {
          over = true;
        } else {
          rival->used.fetch_add(rival->run);
        }
        share.Release(rival->member, rival->run);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Rival* rival : rivals) share.Leave(rival->member);
}

double Ratio(const Rival& a, const Rival& b) {
  return static_cast<double>(a.used.load()) / static_cast<double>(b.used.load());
}

TEST(DeviceShare, AMemberThatLeavesTakesItsSlotsAlong) {
  DeviceShare share(1, kForever);
  Member wide(1);
  Member a(1);
  Member b(1);
  share.Join(a, 1);
  share.Join(wide, 2);
  share.Join(b, 1);
  share.Leave(wide);
  share.Acquire(a);
  std::atomic<bool> acquired{false};
  std::thread other([&] {
    share.Acquire(b);
    acquired = true;
  });
  while (share.Waiting(b) == 0 && !acquired.load()) std::this_thread::yield();
  EXPECT_FALSE(acquired.load()) << "there is one slot again";
  share.Release(a, 1);
  other.join();
  share.Release(b, 1);
}

TEST(DeviceShare, EqualWeightsGetEqualTime) {
  Rival a(1, 1'000'000);
  Rival b(1, 1'000'000);
  Saturate({&a, &b}, 1000);
  EXPECT_NEAR(Ratio(a, b), 1, 0.1);
}

TEST(DeviceShare, WeightsDivideTheTime) {
  Rival a(1, 1'000'000);
  Rival b(3, 1'000'000);
  Saturate({&a, &b}, 1000);
  EXPECT_NEAR(Ratio(b, a), 3, 0.3);
}

TEST(DeviceShare, DividesTimeAndNotTurns) {
  Rival slow(1, 9'000'000);
  Rival quick(3, 1'000'000);
  Saturate({&slow, &quick}, 1400);
  EXPECT_NEAR(Ratio(quick, slow), 3, 0.3);
}

TEST(DeviceShare, DividesTheTimeOfThreeMembers) {
  Rival a(1, 1'000'000);
  Rival b(2, 2'000'000);
  Rival c(5, 500'000);
  Saturate({&a, &b, &c}, 2000);
  EXPECT_NEAR(Ratio(b, a), 2, 0.2);
  EXPECT_NEAR(Ratio(c, a), 5, 0.5);
}

TEST(DeviceShare, AMemberAloneNeverWaits) {
  DeviceShare share(1, kForever);
  Member member(0.001);
  share.Join(member, 1);
  for (int i = 0; i < 1000; ++i) {
    share.Acquire(member);
    share.Release(member, 1'000'000'000);
  }
  share.Leave(member);
}

TEST(DeviceShare, UnusedTimeIsNotSaved) {
  DeviceShare share(1);
  Member busy(1);
  Member idle(1);
  share.Join(busy, 1);
  share.Join(idle, 1);
  for (int i = 0; i < 100; ++i) {
    share.Acquire(busy);
    share.Release(busy, 1'000'000);
  }
  share.Acquire(idle);
  share.Release(idle, 1'000'000);
  // Not from 0, which would give it the next hundred turns.
  EXPECT_GE(idle.virtual_time, 99'000'000);
  share.Leave(busy);
  share.Leave(idle);
}

TEST(DeviceShare, ANewMemberStartsAtThePresent) {
  DeviceShare share(1);
  Member old(1);
  share.Join(old, 1);
  for (int i = 0; i < 100; ++i) {
    share.Acquire(old);
    share.Release(old, 1'000'000);
  }
  Member fresh(1);
  share.Join(fresh, 1);
  EXPECT_GE(fresh.virtual_time, 99'000'000);
  share.Leave(old);
  share.Leave(fresh);
}

TEST(DeviceShare, AHungMemberDelaysOthersAtMostForTheLongestWait) {
  constexpr Nanos kWait = 50'000'000;
  DeviceShare share(1, kWait);
  Member hung(1);
  Member other(1);
  share.Join(hung, 1);
  share.Join(other, 1);
  share.Acquire(hung);  // and never ends while the other runs
  const SteadyClock clock;
  const Nanos began = clock.Now();
  share.Acquire(other);
  EXPECT_GE(clock.Now() - began, kWait * 9 / 10);
  share.Release(other, 1);
  share.Release(hung, 1);
  // Everything is given back: the next turn is free, though a busy machine may take its time.
  Nanos shortest = kNever;
  for (int i = 0; i < 20; ++i) {
    const Nanos again = clock.Now();
    share.Acquire(other);
    shortest = std::min(shortest, clock.Now() - again);
    share.Release(other, 1);
  }
  EXPECT_LT(shortest, kWait / 2);
  share.Leave(hung);
  share.Leave(other);
}

TEST(DeviceShare, AsManyRunAtATimeAsThereAreSlots) {
  DeviceShare share(2, kForever);
  Member a(1);
  Member b(1);
  share.Join(a, 1);
  share.Join(b, 1);
  share.Acquire(a);
  share.Acquire(b);
  share.Release(a, 1);
  share.Release(b, 1);
  share.Leave(a);
  share.Leave(b);
}

TEST(DeviceShare, MoreWorkersMakeMoreSlots) {
  DeviceShare share(1, kForever);
  Member member(1);
  share.Join(member, 3);
  for (int i = 0; i < 3; ++i) share.Acquire(member);
  for (int i = 0; i < 3; ++i) share.Release(member, 1);
  share.Leave(member);
}

TEST(DeviceShare, NeverMoreRunAtATimeThanThereAreSlots) {
  DeviceShare share(2, kForever);
  Member a(1);
  Member b(2);
  share.Join(a, 2);
  share.Join(b, 2);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::barrier start(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, member = i % 2 == 0 ? &a : &b] {
      start.arrive_and_wait();
      for (int turn = 0; turn < 200; ++turn) {
        share.Acquire(*member);
        const int now = running.fetch_add(1) + 1;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        running.fetch_sub(1);
        share.Release(*member, 1000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 2);
  share.Leave(a);
  share.Leave(b);
}

}  // namespace
}  // namespace millrace
