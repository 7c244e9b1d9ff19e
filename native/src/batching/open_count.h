// A count of the threads inside something that one thread closes.
#pragma once

#include <cstdint>

#include "batching/atomics.h"

namespace millrace {

// Memory orders of OpenCount. Pair:
//   kLeave -> kSeeEmpty   what a thread did inside is over before the thread that closes goes on.
// Enter and Close need no order: both change the same atomic, so that one of them comes first. A thread that
// enters before the close is seen by Empty until it leaves; one that comes later is refused.
struct OpenCountOrders {
  static constexpr auto kLeave = std::memory_order_release;
  static constexpr auto kSeeEmpty = std::memory_order_acquire;
};

// The count and a bit that says that it is closed are one atomic.
//
// PROGRESS All methods are wait-free. The thread that closes repeats Empty until the last one has left.
template <class Atomics = StdAtomics, class Orders = OpenCountOrders>
class OpenCount {
 public:
  // Returns whether the calling thread is now inside, in which case Leave must follow. Returns false once it is closed.
  bool Enter() noexcept {
    if ((state_.fetch_add(kOne, std::memory_order_relaxed) & kClosed) == 0) return true;
    Leave();
    return false;
  }
  void Leave() noexcept { state_.fetch_sub(kOne, Orders::kLeave); }

  // Refuses every thread from now on. Idempotent.
  void Close() noexcept { state_.fetch_or(kClosed, std::memory_order_relaxed); }
  bool closed() const noexcept { return (state_.load(std::memory_order_relaxed) & kClosed) != 0; }
  // Returns whether no thread is inside. Once closed it stays true, except while a thread is being refused.
  bool Empty() const noexcept { return state_.load(Orders::kSeeEmpty) < kOne; }

 private:
  static constexpr uint32_t kClosed = 1;
  static constexpr uint32_t kOne = 2;

  alignas(kCacheLine) typename Atomics::template Atomic<uint32_t> state_{0};
};

}  // namespace millrace
