// The count of the bytes of request bodies that the process holds in memory.
#pragma once

#include <atomic>
#include <cstddef>

namespace millrace {

// A count that any thread may change. All orders are relaxed, because the count guards no other memory.
class ByteBudget {
 public:
  // Takes `bytes` bytes. Returns false, and takes nothing, if that would exceed `limit`. Lock-free.
  bool TryTake(size_t bytes, size_t limit) noexcept {
    size_t taken = taken_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit || taken > limit - bytes) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }

  // Gives taken bytes back. Each byte must be given back once.
  void Give(size_t bytes) noexcept { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> taken_{0};
};

// Returns the budget that all threads of the process share.
ByteBudget& ProcessBytes() noexcept;

}  // namespace millrace
