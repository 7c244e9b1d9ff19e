// How many threads are inside something that one thread closes.
#pragma once

#include <cstdint>

#include "batching/atomics.h"

namespace millrace {

// Memory orders of OpenCount. Pair:
//   kLeave -> kSeeEmpty   whatever a thread did inside is over before the one that closes goes on.
// Enter and Close need none: both change the same atomic, so that one of them comes first. A thread that
// enters before the close is seen by Empty until it leaves; one that comes later is refused.
struct OpenCountOrders {
  static constexpr auto kLeave = std::memory_order_release;
  static constexpr auto kSeeEmpty = std::memory_order_acquire;
};

// A count of the threads inside, and a bit that says that it is closed, in one atomic.
//
// PROGRESS Everything is wait-free. The thread that closes repeats Empty until the last one has left.
template <class Atomics = StdAtomics, class Orders = OpenCountOrders>
class OpenCount {
 public:
  // Whether the calling thread is now inside, in which case Leave must follow. False once it is closed.
  bool Enter() noexcept {
    if ((state_.fetch_add(kOne, std::memory_order_relaxed) & kClosed) == 0) return true;
    Leave();
    return false;
  }
  void Leave() noexcept { state_.fetch_sub(kOne, Orders::kLeave); }

  // Nobody enters any more. Idempotent.
  void Close() noexcept { state_.fetch_or(kClosed, std::memory_order_relaxed); }
  bool closed() const noexcept { return (state_.load(std::memory_order_relaxed) & kClosed) != 0; }
  // Whether nobody is inside. Once it is closed this stays true, but for a thread that is being refused.
  bool Empty() const noexcept { return state_.load(Orders::kSeeEmpty) < kOne; }

 private:
  static constexpr uint32_t kClosed = 1;
  static constexpr uint32_t kOne = 2;

  alignas(kCacheLine) typename Atomics::template Atomic<uint32_t> state_{0};
};

}  // namespace millrace
