// On which of several devices a batch should run, as a pure function.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "batching/clock.h"

namespace millrace {

// One device at the moment of the choice.
struct DeviceView {
  // When it will have done what it has begun. In the past: it is idle.
  Nanos free_at = 0;
  // What the batch is expected to take there.
  Nanos cost = 0;
  // Batches that have begun there.
  size_t begun = 0;
  // Whether it takes batches: one that is lost or full does not.
  bool open = true;
};

// The device where the batch is expected to finish first: a fast one that is busy may beat a slow one
// that is idle. Of equals, the one with fewer batches, then the first. Empty if none is open.
constexpr std::optional<size_t> ChooseDevice(std::span<const DeviceView> devices,
                                             Nanos now) noexcept {
  std::optional<size_t> best;
  Nanos earliest = kNever;
  for (size_t i = 0; i < devices.size(); ++i) {
    const DeviceView& device = devices[i];
    if (!device.open) continue;
    const Nanos start = device.free_at > now ? device.free_at : now;
    const Nanos finish = device.cost > kNever - start ? kNever : start + device.cost;
    const bool better = !best || finish < earliest ||
                        (finish == earliest && device.begun < devices[*best].begun);
    if (!better) continue;
    best = i;
    earliest = finish;
  }
  return best;
}

}  // namespace millrace
