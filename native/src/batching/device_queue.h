// Whose turn it is on a device that runs one batch after another.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>

#include "batching/clock.h"

namespace millrace {

// Batches run in the order in which they entered. A batch's time on the device begins when the one
// before it has left, so that what it waited is not taken for what it costs. Thread-safe.
class DeviceQueue {
 public:
  // A batch's place. It stays where it is while it is in the queue.
  class Place {
   public:
    // When the device took the batch up; kNever while others go first. Stands after the batch has left.
    // Relaxed: a time and nothing else.
    Nanos since() const noexcept { return since_.load(std::memory_order_relaxed); }

   private:
    friend class DeviceQueue;
    std::atomic<Nanos> since_{0};
  };

  void Enter(Place& place, Nanos now) {
    const std::lock_guard lock(mutex_);
    order_.push_back(&place);
    place.since_.store(order_.size() == 1 ? now : kNever, std::memory_order_relaxed);
  }

  // The batch has run, or has failed on the way.
  void Leave(Place& place, Nanos now) noexcept {
    const std::lock_guard lock(mutex_);
    const bool first = order_.front() == &place;
    std::erase(order_, &place);
    if (place.since() == kNever) place.since_.store(now, std::memory_order_relaxed);
    if (first && !order_.empty()) order_.front()->since_.store(now, std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;
  std::deque<Place*> order_;  // guarded by mutex_
};

}  // namespace millrace
