// Divides the time of a device between the models that run on it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// It uses start-time fair queuing (Goyal, Vin, Cheng 1996): each member has a virtual time that advances by run time
// divided by weight, and a free slot goes to the waiting member with the least virtual time. A member that was idle
// starts at the present virtual time, so that it cannot save time up.
//
// Only workers call this, before they form a batch, so that a batch is still formed at the last moment. A worker waits
// at most `max_wait` and four times the longest recent turn, and then runs anyway, so that a model whose run hangs
// does not stop the others. Thread-safe.
class DeviceShare {
 public:
  static constexpr Nanos kMaxWait = 100'000'000;

  struct Member {
    explicit Member(double share) : weight(share) {}
    const double weight;
    double virtual_time = 0;  // guarded by DeviceShare::mutex_
    int waiting = 0;          // guarded by DeviceShare::mutex_
    uint32_t workers = 0;     // guarded by DeviceShare::mutex_
  };

  // `slots` is the number of runs that may be in progress at a time.
  explicit DeviceShare(uint32_t slots, Nanos max_wait = kMaxWait)
      : max_wait_(max_wait), least_slots_(slots), slots_(slots) {}

  // A member with more workers than slots raises the slots to their number until it leaves.
  void Join(Member& member, uint32_t workers);
  void Leave(Member& member);

  // Blocks until it is the member's turn.
  void Acquire(Member& member);
  // Ends the turn; `used` is the device time that it took.
  void Release(Member& member, Nanos used);
  // Does Release and Acquire in one. A member with more to run must ask before others are served; otherwise it would
  // wait for a turn of another member each time, whatever its weight.
  void Renew(Member& member, Nanos used);

  // Returns how many workers of the member wait for their turn.
  int Waiting(const Member& member);

 private:
  bool IsNext(const Member& member) const;
  void Await(std::unique_lock<std::mutex>& lock, Member& member);
  void GiveBack(Member& member, Nanos used);

  const Nanos max_wait_;
  const uint32_t least_slots_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<Member*> members_;
  uint32_t slots_;
  uint32_t taken_ = 0;
  // The longest recent turn; four times it counts as kMostUsual at most.
  Nanos usual_ = 0;
  static constexpr Nanos kMostUsual = 1'000'000'000;
  double now_ = 0;  // the virtual time of the last turn given
};

}  // namespace millrace
