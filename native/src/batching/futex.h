// The Linux futex calls, which are the only dependency of batching/ on the operating system.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

struct LinuxFutex {
  // Sleeps while *word == expected, at most until `deadline` (a time of SteadyClock; kNever means no limit). May return
  // early without a reason.
  static void Wait(std::atomic<uint32_t>& word, uint32_t expected, Nanos deadline) noexcept {
    timespec until{};
    timespec* limit = nullptr;
    if (deadline != kNever) {
      until.tv_sec = deadline / 1'000'000'000;
      until.tv_nsec = deadline % 1'000'000'000;
      limit = &until;
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, which is the steady clock.
    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, nullptr,
            FUTEX_BITSET_MATCH_ANY);
  }

  static void WakeOne(std::atomic<uint32_t>& word) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
  static_assert(std::atomic<uint32_t>::is_always_lock_free);
};

}  // namespace millrace
