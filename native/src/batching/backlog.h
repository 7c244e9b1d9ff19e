// An estimate of the waiting work by urgency, which submitters read without a lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "batching/clock.h"

namespace millrace {

// The device time of waiting requests, added up for each class of priorities and each interval of 4 ms in which
// requests are due. Requests due beyond the last interval count as behind all others.
//
// WHY The queue belongs to the worker that forms a batch. Admission must not wait for it, and must not refuse a
// request because of less urgent ones.
//
// ACCURACY It is an estimate. Requests of one interval count as ahead of each other. Aging and cancellation show
// only when a worker next takes the request.
//
// Any number of threads may call any method. All atomics are counters, and therefore relaxed.
class Backlog {
 public:
  // Where a request is counted. The request keeps it until Remove.
  struct Place {
    uint16_t index = 0;
    uint8_t group = 0;
    Nanos work = 0;
  };

  // Counts a request of priority `priority`, due at `due`. `work` is its device time in nanoseconds, or 0 if that is
  // not known.
  Place Add(uint8_t priority, Nanos due, Nanos now, Nanos work) noexcept {
    const Place place{IndexOf(due, now), GroupOf(priority), work};
    if (work != 0) Count(place, work);
    return place;
  }

  void Remove(const Place& place) noexcept {
    if (place.work != 0) Count(place, -place.work);
  }

  // Returns the work of the requests that are at least as urgent as one of this priority that is due then.
  Nanos Ahead(uint8_t priority, Nanos due, Nanos now) const noexcept {
    const size_t own = GroupOf(priority);
    Nanos ahead = 0;
    for (size_t group = 0; group < own; ++group) ahead += Read(groups_[group].total);
    const Group& group = groups_[own];
    const uint16_t last = IndexOf(due, now);
    // Often the queue is short, and its intervals need not be added up.
    const Nanos total = Read(group.total);
    if (last == kBeyond || total == 0) return ahead + total;
    const size_t first = SlotOf(now) - kPast;
    const size_t count = ((last - first) & (kSlots - 1)) + 1;
    Nanos sum = 0;
    for (size_t i = 0; i < count; ++i) sum += Read(group.slots[(first + i) & (kSlots - 1)]);
    return ahead + sum;
  }

  Nanos Total() const noexcept {
    Nanos total = 0;
    for (const Group& group : groups_) total += Read(group.total);
    return total;
  }

 private:
  // 2^22 ns.
  static constexpr int kSlotBits = 22;
  static constexpr size_t kSlots = 256;
  // The slots before the present one, for requests that are overdue and not dropped yet.
  static constexpr size_t kPast = 64;
  static constexpr uint16_t kBeyond = kSlots;
  // Priorities 0, 1, 2 and 3, 4 to 7 … 128 to 255.
  static constexpr size_t kGroups = 9;

  struct Group {
    std::atomic<Nanos> total{0};
    std::array<std::atomic<Nanos>, kSlots + 1> slots{};
  };

  static size_t SlotOf(Nanos time) noexcept { return static_cast<size_t>(time >> kSlotBits); }
  static uint8_t GroupOf(uint8_t priority) noexcept {
    return static_cast<uint8_t>(std::bit_width(priority));
  }
  static uint16_t IndexOf(Nanos due, Nanos now) noexcept {
    const size_t ahead = SlotOf(std::max(due, now)) - SlotOf(now);
    if (ahead >= kSlots - kPast) return kBeyond;
    return static_cast<uint16_t>((SlotOf(now) + ahead) & (kSlots - 1));
  }
  // Several counters are not read at one moment, so a sum may be below 0 for an instant.
  static Nanos Read(const std::atomic<Nanos>& counter) noexcept {
    return std::max<Nanos>(counter.load(std::memory_order_relaxed), 0);
  }
  void Count(const Place& place, Nanos work) noexcept {
    Group& group = groups_[place.group];
    group.total.fetch_add(work, std::memory_order_relaxed);
    group.slots[place.index].fetch_add(work, std::memory_order_relaxed);
  }

  std::array<Group, kGroups> groups_;
};

}  // namespace millrace
