// Divides one device's time between the models that run on it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// Start-time fair queuing over device time (Goyal, Vin, Cheng 1996): each member has a virtual time
// that advances by run time over weight, and a free slot goes to the waiting member whose virtual
// time is least. A member that was idle starts at the present virtual time and cannot save up.
//
// Only workers call this, before they form a batch, so that a batch is still formed at the last moment.
// A worker waits for `max_wait` at most beyond four of the longest turns of late, and then runs regardless:
// a model whose run hangs must not take the others with it.
class DeviceShare {
 public:
  static constexpr Nanos kMaxWait = 100'000'000;

  struct Member {
    explicit Member(double share) : weight(share) {}
    const double weight;
    double virtual_time = 0;  // guarded by the share's mutex
    int waiting = 0;          // likewise
  };

  // `slots`: runs that may be in progress at once.
  explicit DeviceShare(uint32_t slots, Nanos max_wait = kMaxWait)
      : max_wait_(max_wait), slots_(slots) {}

  // A member with more workers than slots raises the slots to their number.
  void Join(Member& member, uint32_t workers);
  void Leave(Member& member);

  // Blocks until it is the member's turn.
  void Acquire(Member& member);
  // Ends the turn; `used` is the device time it took.
  void Release(Member& member, Nanos used);
  // Release and Acquire in one. A member that has more to run must ask before others are served, or it
  // would wait for a turn of theirs each time, whatever its weight.
  void Renew(Member& member, Nanos used);

  // Workers of the member that wait for their turn.
  int Waiting(const Member& member);

 private:
  bool IsNext(const Member& member) const;
  void Await(std::unique_lock<std::mutex>& lock, Member& member);
  void GiveBack(Member& member, Nanos used);

  const Nanos max_wait_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<Member*> members_;
  uint32_t slots_;
  uint32_t taken_ = 0;
  // The longest turn of late; four of them count for so much at most.
  Nanos usual_ = 0;
  static constexpr Nanos kMostUsual = 1'000'000'000;
  double now_ = 0;  // the virtual time of the last turn given
};

}  // namespace millrace
