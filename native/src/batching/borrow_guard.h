// Memory that is read by one thread and can be taken back by another at any time.
#pragma once

#include <cstdint>

#include "batching/atomics.h"

namespace millrace {

// Memory orders of BorrowGuard. Pair:
//   kEndRead -> kRevoke   every read of the memory is over before its owner frees it.
// BeginRead needs none: who finds the borrow revoked does not read, and the request itself is handed over
// by Inbox.
struct BorrowGuardOrders {
  static constexpr auto kEndRead = std::memory_order_release;
  static constexpr auto kRevoke = std::memory_order_acquire;
};

// Who may use a request's borrowed inputs now. A worker reads them between BeginRead and EndRead only, a
// memcpy long. When they have to go away their owner revokes the borrow, for which it waits no longer
// than that.
//
// PROGRESS Everything is wait-free; the owner repeats TryRevoke while a worker reads.
template <class Atomics = StdAtomics, class Orders = BorrowGuardOrders>
class BorrowGuard {
 public:
  // Starts anew, with memory that is borrowed or with nothing to lend. Only while no other thread uses
  // the request.
  void Reset(bool borrowed) noexcept {
    state_.store(borrowed ? State::kHeld : State::kNone, std::memory_order_relaxed);
  }

  // Worker. False if the owner has taken the memory back; otherwise EndRead must follow.
  bool BeginRead() noexcept {
    State held = State::kHeld;
    return state_.compare_exchange_strong(held, State::kReading, std::memory_order_relaxed,
                                          std::memory_order_relaxed) ||
           held == State::kNone;
  }

  // Worker. Does nothing if nothing is being read.
  void EndRead() noexcept {
    State reading = State::kReading;
    state_.compare_exchange_strong(reading, State::kHeld, Orders::kEndRead,
                                   std::memory_order_relaxed);
  }

  // Owner. False while a worker reads: try again. Otherwise nobody reads the memory any more.
  bool TryRevoke() noexcept {
    State held = State::kHeld;
    return state_.compare_exchange_strong(held, State::kRevoked, Orders::kRevoke,
                                          std::memory_order_relaxed) ||
           held != State::kReading;
  }

 private:
  enum class State : uint8_t { kNone, kHeld, kReading, kRevoked };

  typename Atomics::template Atomic<State> state_{State::kNone};
};

}  // namespace millrace
