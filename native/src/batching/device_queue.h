// The order of batches on a device that runs one after another.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>

#include "batching/clock.h"

namespace millrace {

// Batches run in the order in which they entered. A batch's run begins when the one before it has left, so that its
// waiting time is not counted as run time. Thread-safe.
class DeviceQueue {
 public:
  // The place of a batch. It must not move while it is in the queue.
  class Place {
   public:
    // Returns when the run began, or kNever while other batches go first. It is kept after the batch has left. The
    // load is relaxed, because nothing else is read because of it.
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

  // Removes a batch that has run or failed.
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
