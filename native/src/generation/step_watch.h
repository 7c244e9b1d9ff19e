// Watches the time of the present step.
#pragma once

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "generation/request.h"

namespace millrace {

// Terminates a step that takes longer than the limit, and fails its requests at once. The generator's thread calls Begin
// and End, and the watchdog calls Patrol.
class StepWatch {
 public:
  // Without a limit, which is 0, the object does nothing. At most `most` requests take part in a step.
  StepWatch(RunHandle& handle, Nanos limit, size_t most) : handle_(handle), limit_(limit) {
    if (limit > 0) watched_.reserve(most);
  }

  // Starts to watch a step. The vector must not have more requests than there is room for.
  void Begin(const std::vector<GenerationRequest*>& requests, Nanos now) noexcept {
    if (limit_ == 0) return;
    const std::lock_guard lock(mutex_);
    started_ = now;
    watched_.assign(requests.begin(), requests.end());
  }

  // Ends it. Returns whether it has passed the limit.
  bool End() noexcept {
    if (limit_ == 0) return false;
    const std::lock_guard lock(mutex_);
    started_ = 0;
    return std::exchange(overdue_, false);
  }

  // Returns the time that is left to the present step, or kNever if there is none.
  Nanos Patrol(Nanos now) noexcept {
    const std::lock_guard lock(mutex_);
    if (started_ == 0) return kNever;
    const Nanos started = handle_.Started(started_);
    // The step waits for its device.
    if (started == kNever) return kNever;
    const Nanos left = started + limit_ - now;
    if (left > 0) return left;
    handle_.Terminate();
    // It is terminated again at the next look, because its run may only have been about to begin.
    if (std::exchange(overdue_, true)) return kNever;
    try {
      const Status status(Code::kDeadlineExceeded, kMessage);
      for (const GenerationRequest* request : watched_) {
        request->sink->FailEarly(request->slot, request->turn, status);
      }
    } catch (const std::bad_alloc&) {
      // They finish when the step returns.
    }
    return kNever;
  }

  // Returns whether a step has passed the limit and has not returned. Any thread may call it.
  bool stuck() const noexcept {
    const std::lock_guard lock(mutex_);
    return overdue_;
  }

  static constexpr const char* kMessage = "A step took longer than a step of this model may";

 private:
  RunHandle& handle_;
  const Nanos limit_;
  mutable std::mutex mutex_;
  Nanos started_ = 0;                             // 0 between steps; guarded by mutex_
  bool overdue_ = false;                          // guarded by mutex_
  std::vector<const GenerationRequest*> watched_;  // guarded by mutex_
};

}  // namespace millrace
