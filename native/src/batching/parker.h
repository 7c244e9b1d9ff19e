// Puts one thread to sleep until another has work for it, without losing a wake-up and without a
// system call when nobody sleeps.
#pragma once

#include <cstdint>

#include "batching/atomics.h"
#include "batching/clock.h"
#include "batching/futex.h"

namespace millrace {

// Memory orders of Parker. The sleeper publishes "parked", then looks for work; the waker publishes
// work (Inbox::Push), then looks for "parked". All four are sequentially consistent, so at least one
// of the two sees the other; with anything weaker both can miss and the sleeper sleeps on work.
//   kPark      store of kParked          pairs with kCheck
//   kCheck     load in Unpark            pairs with kPark
//   kClaim     exchange kParked->kRunning; the one waker that wins pays for the system call. Relaxed,
//              since nothing is handed over through it: the sleeper looks for the work itself.
struct ParkerOrders {
  static constexpr auto kPark = std::memory_order_seq_cst;
  static constexpr auto kCheck = std::memory_order_seq_cst;
  static constexpr auto kClaim = std::memory_order_relaxed;
};

// One sleeper (the owner), any number of wakers.
template <class Atomics = StdAtomics, class Futex = LinuxFutex, class Orders = ParkerOrders>
class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Owner only. Sleeps until Unpark or `deadline`, unless `has_work()` is true once the owner can be
  // seen as parked. `has_work` must load with sequential consistency.
  template <class HasWork>
  void Park(HasWork has_work, Nanos deadline) noexcept {
    state_.store(kParked, Orders::kPark);
    if (!has_work()) {
      Futex::Wait(state_, kParked, deadline);
    }
    state_.store(kRunning, std::memory_order_relaxed);
  }

  // Any thread. Returns whether this call is the one that woke the owner.
  bool Unpark() noexcept {
    uint32_t parked = kParked;
    if (state_.load(Orders::kCheck) != kParked ||
        !state_.compare_exchange_strong(parked, kRunning, Orders::kClaim,
                                        std::memory_order_relaxed)) {
      return false;
    }
    Futex::WakeOne(state_);
    return true;
  }

 private:
  static constexpr uint32_t kRunning = 0;
  static constexpr uint32_t kParked = 1;

  typename Atomics::template Atomic<uint32_t> state_{kRunning};
};

}  // namespace millrace
