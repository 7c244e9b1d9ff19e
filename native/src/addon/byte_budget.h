// Bytes of requests that the process holds in memory, counted by whoever reads or unpacks them.
#pragma once

#include <atomic>
#include <cstddef>

namespace millrace {

// A count that any thread may change. The count alone decides: nothing is read or written because of it,
// so every order is relaxed.
class ByteBudget {
 public:
  // Takes `bytes` unless that makes more than `limit`.
  bool TryTake(size_t bytes, size_t limit) noexcept {
    size_t taken = taken_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit || taken > limit - bytes) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }

  // Gives back what was taken, each byte once.
  void Give(size_t bytes) noexcept { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> taken_{0};
};

// The one of the process, which all its threads share.
ByteBudget& ProcessBytes() noexcept;

}  // namespace millrace
