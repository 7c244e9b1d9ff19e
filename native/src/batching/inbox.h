// An intrusive list with many producers, whose consumer always takes everything.
#pragma once

#include "batching/atomics.h"

namespace millrace {

// Memory orders of Inbox. Pairs:
//   kPush -> kTake   the thread that takes a node sees what its producer wrote to it before Push.
//   kPush, kEmpty    are also one side of park/wake (see parker.h), hence sequentially consistent.
struct InboxOrders {
  static constexpr auto kPush = std::memory_order_seq_cst;
  static constexpr auto kTake = std::memory_order_acquire;
  static constexpr auto kEmpty = std::memory_order_seq_cst;
};

// GROUPS nodes of type `Node`, linked through their plain member `Node* next`.
//
// WHY this one: .github/decisions/0001-one-intrusive-list-both-ways.md
//
// PROGRESS Push is lock-free: a failed exchange means that another producer succeeded. TakeAll is wait-free. A consumer
// always takes the whole list, so it does not matter whether a node is removed and pushed again between a producer's
// read of the head and its exchange (the ABA problem), and memory needs no reclamation scheme.
//
// OWNERSHIP Push passes the nodes to the thread that takes them. A node may be in at most one list at a time. The list
// neither creates nor destroys nodes.
//
// Any number of threads may call any method.
template <class Node, class Atomics = StdAtomics, class Orders = InboxOrders>
class Inbox {
 public:
  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Adds a chain of nodes that are linked from the newest to the oldest through `next`; a single node is a chain.
  // Returns whether the list was empty, in which case the consumer needs a wake-up.
  bool Push(Node* newest, Node* oldest) noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    do {
      oldest->next = head;
    } while (
        !head_.compare_exchange_weak(head, newest, Orders::kPush, std::memory_order_relaxed));
    return head == nullptr;
  }

  // Takes all nodes, oldest first, as a chain through `next` that ends in nullptr.
  Node* TakeAll() noexcept {
    Node* node = head_.exchange(nullptr, Orders::kTake);
    Node* oldest_first = nullptr;
    while (node != nullptr) {
      Node* const older = node->next;
      node->next = oldest_first;
      oldest_first = node;
      node = older;
    }
    return oldest_first;
  }

  bool Empty() const noexcept { return head_.load(Orders::kEmpty) == nullptr; }

 private:
  alignas(kCacheLine) typename Atomics::template Atomic<Node*> head_{nullptr};
};

}  // namespace millrace
