// Places in a queue that single priorities have, beside those that all of them share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace millrace {

// LIMIT Of a priority at most so many requests hold a place at once. Which of two that come together gets
// the last one is open; both may be refused where a third leaves at that moment.
//
// PROGRESS Everything is wait-free.
//
// Any number of threads may call any method. Counters: each is relaxed.
class Quota {
 public:
  // `limits` by priority; 0, and a priority beyond them: no limit.
  explicit Quota(std::vector<uint32_t> limits)
      : limits_(std::move(limits)),
        taken_(std::make_unique<std::atomic<uint32_t>[]>(limits_.size())) {}

  // Takes a place, to be left again; false where there is none.
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
