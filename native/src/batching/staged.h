// Executors of devices with memory of their own, which copy one batch while they run another.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "batching/executor.h"

namespace millrace {

// One request's share of a batch: its inputs, in the order of the signature.
using Part = std::span<const TensorView>;

// Below this it is cheaper to gather inputs than to have the device fetch each.
inline constexpr size_t kDirectBytes = 16 * 1024;

// The other face of an executor that takes a batch in two steps:
//
//   Begin   copies the inputs to the device, while it may run another batch; then queues the run
//   Finish  waits for the run
//
// A device has more workers than it runs batches: while one worker waits in Finish, another makes the
// copies of the next batch in Begin. Parts are laid one after another along dimension 0 on the way to
// the device, so nothing has to be gathered for it.
//
// THREADS As Executor: each worker has a handle of its own, and one batch at a time.
class StagedExecutor {
 public:
  virtual ~StagedExecutor() = default;

  // How many batches run at once: one on each device.
  virtual size_t devices() const noexcept = 0;
  // How many may have begun and not finished; a Begin beyond that waits. At least `devices`.
  virtual size_t depth() const noexcept = 0;

  // Memory that the device reads without help of the CPU, for what requests bring. Null if there is
  // no more of it; ordinary memory does as well, at the price of a copy. May outlive the executor.
  virtual std::shared_ptr<std::byte> Allocate(size_t bytes) noexcept = 0;

  // Starts a batch of at least one part. Returns before it has run; on failure nothing was begun.
  // OWNERSHIP Inputs in memory from Allocate stay as they are until Finish has returned; other
  // inputs are the caller's again when Begin returns.
  virtual Status Begin(std::span<const Part> parts, RunHandle& handle) = 0;

  // Waits for the batch that began with `handle`, and gives its outcome as Run does. Afterwards
  // handle.Started tells when the device took it up.
  virtual Status Finish(RunHandle& handle, OutputRef& outputs) noexcept = 0;
};

}  // namespace millrace
