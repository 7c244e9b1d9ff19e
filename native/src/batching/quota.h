// Limits for the waiting requests of single priorities.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace millrace {

// LIMIT At most so many requests of a priority hold a place at a time. If two requests arrive together, either gets the
// last place; both may be refused if a third leaves at that moment.
//
// PROGRESS All methods are wait-free.
//
// Any number of threads may call any method. All atomics are counters, and therefore relaxed.
class Quota {
 public:
  // `limits` are indexed by priority. A priority with 0, or beyond the end, has no limit.
  explicit Quota(std::vector<uint32_t> limits)
      : limits_(std::move(limits)),
        taken_(std::make_unique<std::atomic<uint32_t>[]>(limits_.size())) {}

  // Takes a place, which Leave gives back. Returns false if there is no free place.
  bool Take(uint8_t priority) noexcept {
    if (!Limited(priority)) return true;
    if (taken_[priority].fetch_add(1, std::memory_order_relaxed) < limits_[priority]) return true;
    Leave(priority);
    return false;
  }

  void Leave(uint8_t priority) noexcept {
    if (Limited(priority)) taken_[priority].fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  bool Limited(size_t priority) const noexcept {
    return priority < limits_.size() && limits_[priority] != 0;
  }

  const std::vector<uint32_t> limits_;
  const std::unique_ptr<std::atomic<uint32_t>[]> taken_;
};

}  // namespace millrace
