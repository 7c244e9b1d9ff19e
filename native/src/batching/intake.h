// The entrance of a batcher, which is bounded and can be closed.
#pragma once

#include <cstdint>

#include "batching/atomics.h"
#include "batching/inbox.h"

namespace millrace {

// Memory orders of Intake. Sequential consistency decides two races, in which each side writes one variable and then
// reads the other's, and at least one of them must see the other:
//   kCount, kAdmit   against kClose, kSeeCount: a submitter counts itself and looks whether the
//                    intake is closed; Close closes it, and the workers then look for counts. Either
//                    the submitter is refused or the workers wait for it.
//   kCount, kClose   against Parker's kPark, then kSeeCount, kSeeClosed: a worker that goes to sleep
//                    sees what has arrived, or the thread that submits or closes sees it asleep and wakes it.
// kLeave only lowers the count: a thread that sees it late only looks once more in vain.
struct IntakeOrders {
  static constexpr auto kCount = std::memory_order_seq_cst;
  static constexpr auto kAdmit = std::memory_order_seq_cst;
  static constexpr auto kLeave = std::memory_order_relaxed;
  static constexpr auto kClose = std::memory_order_seq_cst;
  static constexpr auto kSeeClosed = std::memory_order_seq_cst;
  static constexpr auto kSeeCount = std::memory_order_seq_cst;
};

// An Inbox that is bounded and can be closed. Requests that were admitted before it was closed are still served, and
// workers can tell when the last of them has left.
//
// PROGRESS All methods are lock-free.
//
// Any number of threads may call any method.
template <class Node, class Atomics = StdAtomics, class Orders = IntakeOrders,
          class List = Inbox<Node>>
class Intake {
 public:
  enum class Entry : uint8_t { kOpen, kFull, kClosed };

  // Takes one of `limit` places. After kOpen the caller must Push, or Leave the place.
  Entry Reserve(uint32_t limit) noexcept {
    if (count_.fetch_add(1, Orders::kCount) >= limit) {
      Leave(1);
      return Entry::kFull;
    }
    if (closed_.load(Orders::kAdmit)) {
      Leave(1);
      return Entry::kClosed;
    }
    return Entry::kOpen;
  }

  void Push(Node* node) noexcept { list_.Push(node, node); }

  // Takes all pushed nodes, oldest first. Their places stay taken until Leave.
  Node* TakeAll() noexcept { return list_.TakeAll(); }

  void Leave(uint32_t places) noexcept { count_.fetch_sub(places, Orders::kLeave); }

  // Returns whether something has been pushed since the last TakeAll, or the intake is closed.
  bool HasNews() const noexcept { return !list_.Empty() || closed_.load(Orders::kSeeClosed); }

  // Returns whether a place is taken, by a request that waits, is about to wait, or is about to be refused.
  bool Occupied() const noexcept { return count_.load(Orders::kSeeCount) != 0; }

  void Close() noexcept { closed_.store(true, Orders::kClose); }

  // Returns whether the intake is closed and all places are free, so that nothing can arrive any more.
  bool Drained() const noexcept { return closed_.load(Orders::kSeeClosed) && !Occupied(); }

  // For statistics and estimates: the values may be out of date.
  uint32_t size() const noexcept { return count_.load(std::memory_order_relaxed); }
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

 private:
  List list_;
  alignas(kCacheLine) typename Atomics::template Atomic<uint32_t> count_{0};
  typename Atomics::template Atomic<bool> closed_{false};
};

}  // namespace millrace
