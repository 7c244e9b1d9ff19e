#include "batching/parker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "batching/inbox.h"

namespace millrace {
namespace {

TEST(Parker, DoesNotSleepIfThereIsWork) {
  Parker<> parker;
  parker.Park([] { return true; }, kNever);
}

TEST(Parker, DoesNotWakeAnOwnerThatIsAwake) {
  Parker<> parker;
  EXPECT_FALSE(parker.Unpark());
  parker.Park([] { return true; }, kNever);
  EXPECT_FALSE(parker.Unpark());
}

TEST(Parker, ADeadlineInThePastEndsTheSleep) {
  Parker<> parker;
  parker.Park([] { return false; }, 1);
}

TEST(Parker, ADeadlineDoesNotEndTheSleepEarly) {
  Parker<> parker;
  const SteadyClock clock;
  const Nanos deadline = clock.Now() + 2'000'000;
  // A sleep may end early for no reason; its user then sleeps again.
  while (clock.Now() < deadline) parker.Park([] { return false; }, deadline);
  EXPECT_FALSE(parker.Unpark());
}

TEST(Parker, AWakeUpBetweenTheCheckAndTheSleepIsNotLost) {
  Parker<> parker;
  bool woke = false;
  parker.Park(
      [&] {
        woke = parker.Unpark();
        return false;
      },
      kNever);
  EXPECT_TRUE(woke);
}

TEST(Parker, OneOfSeveralWakersMakesTheSystemCall) {
  for (int round = 0; round < 200; ++round) {
    Parker<> parker;
    std::atomic<bool> work{false};
    std::atomic<bool> parked{false};
    std::thread sleeper([&] {
      while (!work.load()) {
        parker.Park(
            [&] {
              parked = true;
              return work.load();
            },
            kNever);
      }
    });
    while (!parked.load()) std::this_thread::yield();
    work = true;
    std::atomic<int> winners{0};
    std::vector<std::thread> wakers;
    for (int i = 0; i < 3; ++i) wakers.emplace_back([&] { winners += parker.Unpark() ? 1 : 0; });
    for (std::thread& waker : wakers) waker.join();
    sleeper.join();
    // None, if the sleeper saw the work by itself.
    EXPECT_LE(winners, 1);
  }
}

struct WorkNode {
  WorkNode* next = nullptr;
};

// Ping-pong through an inbox each way: a lost wake-up hangs it, which the runner's limit reports.
TEST(Parker, LosesNoWakeUpBetweenTwoThreads) {
  constexpr int kRounds = 20'000;
  struct Side {
    Inbox<WorkNode> inbox;
    Parker<> parker;
    void Send(WorkNode* node) {
      inbox.Push(node, node);
      parker.Unpark();
    }
    WorkNode* Receive() {
      for (;;) {
        if (WorkNode* const node = inbox.TakeAll()) return node;
        parker.Park([this] { return !inbox.Empty(); }, kNever);
      }
    }
  };
  Side left;
  Side right;
  std::thread echo([&] {
    for (int i = 0; i < kRounds; ++i) left.Send(right.Receive());
  });
  WorkNode ball;
  for (int i = 0; i < kRounds; ++i) {
    right.Send(&ball);
    ASSERT_EQ(left.Receive(), &ball);
  }
  echo.join();
}

TEST(Parker, SeveralWakersLoseNoWakeUp) {
  constexpr int kProducers = 3;
  constexpr size_t kEach = 20'000;
  Inbox<WorkNode> inbox;
  Parker<> parker;
  std::vector<std::vector<WorkNode>> nodes(kProducers, std::vector<WorkNode>(kEach));
  std::vector<std::thread> producers;
  for (auto& own : nodes) {
    producers.emplace_back([&] {
      for (WorkNode& node : own) {
        inbox.Push(&node, &node);
        parker.Unpark();
      }
    });
  }
  size_t received = 0;
  while (received < kProducers * kEach) {
    for (const WorkNode* node = inbox.TakeAll(); node != nullptr; node = node->next) ++received;
    if (received < kProducers * kEach) parker.Park([&] { return !inbox.Empty(); }, kNever);
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(inbox.TakeAll(), nullptr);
}

}  // namespace
}  // namespace millrace
