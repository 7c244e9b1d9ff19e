// Lets one thread sleep until another has work for it. No wake-up is lost, and there is no system call while nobody
// sleeps.
#pragma once

#include <cstdint>

#include "batching/atomics.h"
#include "batching/clock.h"
#include "batching/futex.h"

namespace millrace {

// Memory orders of Parker. The sleeper publishes "parked", then looks for work; the waker publishes
// work (Inbox::Push), then looks for "parked". All four are sequentially consistent, so at least one
// of the two sees the other. With weaker orders both could miss, and the sleeper would sleep with work.
//   kPark      store of kParked          pairs with kCheck
//   kCheck     load in Unpark            pairs with kPark
//   kClaim     exchange kParked->kRunning; the one waker that wins makes the system call. It is relaxed,
//              because the sleeper looks for the work itself.
struct ParkerOrders {
  static constexpr auto kPark = std::memory_order_seq_cst;
  static constexpr auto kCheck = std::memory_order_seq_cst;
  static constexpr auto kClaim = std::memory_order_relaxed;
};

// There is one sleeper, the owner, and any number of wakers.
template <class Atomics = StdAtomics, class Futex = LinuxFutex, class Orders = ParkerOrders>
class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Called by the owner. Sleeps until Unpark or `deadline`, unless `has_work()` is true once other threads can see the
  // owner parked. `has_work` must load with sequential consistency.
  template <class HasWork>
  void Park(HasWork has_work, Nanos deadline) noexcept {
    state_.store(kParked, Orders::kPark);
    if (!has_work()) {
      Futex::Wait(state_, kParked, deadline);
    }
    state_.store(kRunning, std::memory_order_relaxed);
  }

  // Called by any thread. Returns whether this call has woken the owner.
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
