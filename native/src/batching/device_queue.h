// The order of batches on a device that runs one after another.
#pragma once

#include <atomic>
#include <list>
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
    // Returns when the run began, or kNever while the batch is prepared or other batches go first. It is kept after the
    // batch has left. The loads and stores are relaxed, because nothing else is read because of them.
    Nanos since() const noexcept { return since_.load(std::memory_order_relaxed); }
    // Begins to prepare a batch, which enters later or is given up.
    void Prepare() noexcept { since_.store(kNever, std::memory_order_relaxed); }
    void GiveUp() noexcept { since_.store(0, std::memory_order_relaxed); }

   private:
    friend class DeviceQueue;
    std::atomic<Nanos> since_{0};
    // The one element of this list moves into the queue and back, so that to enter takes no memory.
    std::list<Place*> outside_{this};
    const std::list<Place*>::iterator element_ = outside_.begin();
  };

  void Enter(Place& place, Nanos now) noexcept {
    const std::lock_guard lock(mutex_);
    order_.splice(order_.end(), place.outside_);
    place.since_.store(order_.size() == 1 ? now : kNever, std::memory_order_relaxed);
  }

  // Removes a batch that has run or failed.
  void Leave(Place& place, Nanos now) noexcept {
    const std::lock_guard lock(mutex_);
    const bool first = order_.front() == &place;
    place.outside_.splice(place.outside_.begin(), order_, place.element_);
    if (place.since() == kNever) place.since_.store(now, std::memory_order_relaxed);
    if (first && !order_.empty()) order_.front()->since_.store(now, std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;
  std::list<Place*> order_;  // guarded by mutex_
};

}  // namespace millrace
