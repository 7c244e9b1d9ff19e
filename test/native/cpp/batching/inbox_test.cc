#include "batching/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace millrace {
namespace {

struct Node {
  Node* next = nullptr;
  size_t producer = 0;
  size_t number = 0;
};

std::vector<size_t> Numbers(const Node* node) {
  std::vector<size_t> numbers;
  for (; node != nullptr; node = node->next) numbers.push_back(node->number);
  return numbers;
}

TEST(Inbox, IsEmptyAtFirst) {
  Inbox<Node> inbox;
  EXPECT_TRUE(inbox.Empty());
  EXPECT_EQ(inbox.TakeAll(), nullptr);
}

TEST(Inbox, ReturnsTheOldestFirst) {
  Inbox<Node> inbox;
  Node nodes[3];
  for (size_t i = 0; i < 3; ++i) {
    nodes[i].number = i;
    inbox.Push(&nodes[i], &nodes[i]);
  }
  EXPECT_FALSE(inbox.Empty());
  EXPECT_EQ(Numbers(inbox.TakeAll()), (std::vector<size_t>{0, 1, 2}));
  EXPECT_TRUE(inbox.Empty());
}

TEST(Inbox, PushReturnsWhetherItWasEmpty) {
  Inbox<Node> inbox;
  Node a;
  Node b;
  EXPECT_TRUE(inbox.Push(&a, &a));
  EXPECT_FALSE(inbox.Push(&b, &b));
  inbox.TakeAll();
  EXPECT_TRUE(inbox.Push(&a, &a));
}

TEST(Inbox, TakesAChainFromNewestToOldest) {
  Inbox<Node> inbox;
  Node nodes[4];
  for (size_t i = 0; i < 4; ++i) nodes[i].number = i;
  inbox.Push(&nodes[0], &nodes[0]);
  nodes[3].next = &nodes[2];
  nodes[2].next = &nodes[1];
  EXPECT_FALSE(inbox.Push(&nodes[3], &nodes[1]));
  EXPECT_EQ(Numbers(inbox.TakeAll()), (std::vector<size_t>{0, 1, 2, 3}));
}

// A grid of producers and consumers, every node exactly once and each producer's in order for each
// consumer.
class InboxGrid : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(InboxGrid, ReturnsEachNodeOnceAndKeepsEachProducersOrder) {
  const auto [producers, consumers] = GetParam();
  constexpr size_t kNodes = 5000;
  Inbox<Node> inbox;
  std::vector<std::vector<Node>> nodes(producers, std::vector<Node>(kNodes));
  std::vector<std::atomic<int>> seen(producers * kNodes);
  std::atomic<size_t> left{producers * kNodes};
  std::atomic<bool> ordered{true};
  std::vector<std::thread> threads;
  for (size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (size_t i = 0; i < kNodes; ++i) {
        nodes[p][i].producer = p;
        nodes[p][i].number = i;
        inbox.Push(&nodes[p][i], &nodes[p][i]);
      }
    });
  }
  for (size_t c = 0; c < consumers; ++c) {
    threads.emplace_back([&] {
      std::vector<int64_t> last(producers, -1);
      while (left.load() != 0) {
        const Node* node = inbox.TakeAll();
        if (node == nullptr) std::this_thread::yield();
        for (; node != nullptr; node = node->next) {
          const auto number = static_cast<int64_t>(node->number);
          if (number <= last[node->producer]) ordered = false;
          last[node->producer] = number;
          ++seen[node->producer * kNodes + node->number];
          --left;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(ordered);
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

INSTANTIATE_TEST_SUITE_P(Sizes, InboxGrid,
                         testing::Combine(testing::Values(1, 2, 4), testing::Values(1, 2)));

TEST(Inbox, ExactlyOneOfSeveralProducersFindsItEmpty) {
  Inbox<Node> inbox;
  for (int round = 0; round < 300; ++round) {
    Node nodes[4];
    std::atomic<int> first{0};
    std::vector<std::thread> threads;
    for (Node& node : nodes) {
      threads.emplace_back([&] { first += inbox.Push(&node, &node) ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(first, 1);
    EXPECT_EQ(Numbers(inbox.TakeAll()).size(), 4u);
  }
}

}  // namespace
}  // namespace millrace
