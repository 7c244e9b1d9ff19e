// Protects memory that a worker reads and that its owner can take back at any time.
#pragma once

#include <cstdint>

#include "batching/atomics.h"

namespace millrace {

// Memory orders of BorrowGuard. Pair:
//   kEndRead -> kRevoke   every read of the memory is over before its owner frees it.
// BeginRead needs no order: a worker that finds the borrow revoked does not read, and Inbox orders what the worker
// sees of the request.
struct BorrowGuardOrders {
  static constexpr auto kEndRead = std::memory_order_release;
  static constexpr auto kRevoke = std::memory_order_acquire;
};

// Decides who may use the borrowed inputs of a request. A worker reads them only between BeginRead and EndRead, for
// the time of a memcpy. When the memory has to be freed its owner revokes the borrow, and waits at most that long.
//
// PROGRESS All methods are wait-free; the owner repeats TryRevoke while a worker reads.
template <class Atomics = StdAtomics, class Orders = BorrowGuardOrders>
class BorrowGuard {
 public:
  // Prepares the guard for the next request, with borrowed memory or without. No other thread may use the request.
  void Reset(bool borrowed) noexcept {
    state_.store(borrowed ? State::kHeld : State::kNone, std::memory_order_relaxed);
  }

  // Called by the worker. Returns false if the owner has taken the memory back; otherwise EndRead must follow.
  bool BeginRead() noexcept {
    State held = State::kHeld;
    return state_.compare_exchange_strong(held, State::kReading, std::memory_order_relaxed,
                                          std::memory_order_relaxed) ||
           held == State::kNone;
  }

  // Called by the worker. Does nothing if nothing is being read.
  void EndRead() noexcept {
    State reading = State::kReading;
    state_.compare_exchange_strong(reading, State::kHeld, Orders::kEndRead,
                                   std::memory_order_relaxed);
  }

  // Called by the owner. Returns false while a worker reads, and is then called again. After true nobody reads the
  // memory any more.
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
