// Stands in for std::atomic and the futex, on top of relacy's simulated memory, which shows a thread
// every value that the C++ memory model permits.
//
// Include it last: relacy turns names such as `new` into macros and needs the sources under test to
// have been read before. Only relacy.hpp is used; relacy_std.hpp would replace std's own names.
#pragma once

#include <atomic>
#include <source_location>
#include <type_traits>

#include "batching/clock.h"

#include <relacy/relacy.hpp>

#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

namespace millrace::model {

using Where = std::source_location;

inline rl::debug_info InfoOf(const Where& where) {
  return {where.function_name(), where.file_name(), static_cast<unsigned>(where.line())};
}

inline rl::memory_order Simulated(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
      return rl::mo_consume;
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    default:
      return rl::mo_seq_cst;
  }
}

// What std::atomic offers and the algorithms use. Enumerations are simulated as integers.
template <class T>
class Atomic {
 public:
  Atomic(T value = T()) : simulated_(Raw(value)) {}

  T load(std::memory_order order, Where where = Where::current()) const {
    return static_cast<T>(simulated_.load(Simulated(order), InfoOf(where)));
  }

  void store(T value, std::memory_order order, Where where = Where::current()) {
    simulated_.store(Raw(value), Simulated(order), InfoOf(where));
  }

  T exchange(T value, std::memory_order order, Where where = Where::current()) {
    return static_cast<T>(simulated_.exchange(Raw(value), Simulated(order), InfoOf(where)));
  }

  T fetch_add(T value, std::memory_order order, Where where = Where::current()) {
    return simulated_.fetch_add(value, Simulated(order), InfoOf(where));
  }

  T fetch_sub(T value, std::memory_order order, Where where = Where::current()) {
    return simulated_.fetch_sub(value, Simulated(order), InfoOf(where));
  }

  T fetch_or(T value, std::memory_order order, Where where = Where::current()) {
    return simulated_.fetch_or(value, Simulated(order), InfoOf(where));
  }

  bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                             std::memory_order failure, Where where = Where::current()) {
    return CompareExchange<true>(expected, value, success, failure, where);
  }

  bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                               std::memory_order failure, Where where = Where::current()) {
    return CompareExchange<false>(expected, value, success, failure, where);
  }

 private:
  friend struct RelacyFutex;

  template <bool spurious>
  bool CompareExchange(T& expected, T value, std::memory_order success, std::memory_order failure,
                       const Where& where) {
    Stored compared = Raw(expected);
    const bool exchanged =
        simulated_.compare_exchange(rl::bool_t<spurious>(), compared, Raw(value),
                                    Simulated(success), Simulated(failure), InfoOf(where));
    expected = static_cast<T>(compared);
    return exchanged;
  }

  using Stored = typename std::conditional_t<std::is_enum_v<T>, std::type_identity<int>,
                                             std::type_identity<T>>::type;
  static Stored Raw(T value) { return static_cast<Stored>(value); }

  rl::atomic<Stored> simulated_;
  // Stands for the lock that the kernel holds around the calls on this word.
  rl::atomic<int> kernel_{0};
};

struct RelacyAtomics {
  template <class T>
  using Atomic = model::Atomic<T>;
};

// A futex no stronger than the kernel's: comparing and going to sleep are one step, and calls on one
// word are ordered by a lock, but nothing else is. (relacy's own rl_futex adds a fence to each call,
// which would hide missing orders.) Sleepers may wake up for no reason; a deadline may pass any time.
struct RelacyFutex {
  static void Wait(Atomic<uint32_t>& word, uint32_t expected, Nanos deadline,
                   Where where = Where::current()) {
    rl::context& context = rl::ctx();
    context.sched();
    {
      rl::preemption_disabler kernel(context);
      Lock(word, where);
      if (word.load(std::memory_order_relaxed, where) != expected) return;
    }
    word.simulated_.wait(context, deadline != kNever, true, InfoOf(where));
  }

  static void WakeOne(Atomic<uint32_t>& word, Where where = Where::current()) {
    rl::context& context = rl::ctx();
    context.sched();
    rl::preemption_disabler kernel(context);
    Lock(word, where);
    word.simulated_.wake(context, 1, InfoOf(where));
  }

 private:
  static void Lock(Atomic<uint32_t>& word, const Where& where) {
    word.kernel_.fetch_add(1, rl::mo_acq_rel, InfoOf(where));
  }
};

// Memory that is not atomic: two accesses, one of them a write, that nothing orders are a data race
// and fail the check.
template <class T>
class Plain {
 public:
  Plain(T value = T()) : simulated_(value) {}

  T Read(Where where = Where::current()) const { return simulated_(InfoOf(where)); }
  operator T() const { return Read(); }
  Plain& operator=(T value) {
    simulated_(InfoOf(Where::current())) = value;
    return *this;
  }

 private:
  rl::var<T> simulated_;
};

inline void Require(bool holds, const char* what, Where where = Where::current()) {
  if (!holds) rl::ctx().fail_test(what, rl::test_result_user_assert_failed, InfoOf(where));
}

inline void Yield(Where where = Where::current()) { rl::yield(1, InfoOf(where)); }

class Mutex {
 public:
  void lock(Where where = Where::current()) { simulated_.lock(InfoOf(where)); }
  void unlock(Where where = Where::current()) { simulated_.unlock(InfoOf(where)); }

 private:
  rl::mutex simulated_;
};

}  // namespace millrace::model
