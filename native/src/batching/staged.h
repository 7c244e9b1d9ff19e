// The interface of devices with their own memory, which copy one batch while they run another.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "batching/executor.h"

namespace millrace {

// The inputs of one request of a batch, in the order of the signature.
using Part = std::span<const TensorView>;

// Inputs of fewer bytes are cheaper to gather than to copy to the device one by one.
inline constexpr size_t kDirectBytes = 16 * 1024;

// An executor that runs a batch in two steps:
//
//   Begin   copies the inputs to the device, while it may run another batch; then queues the run
//   Finish  waits for the run
//
// A device has more workers than it runs batches: while one worker waits in Finish, another copies the next batch in
// Begin. The parts are put one after another along dimension 0 while they are copied to the device, so that they need
// not be gathered before.
//
// THREADS As for Executor, each worker has a handle of its own and one batch at a time.
class StagedExecutor {
 public:
  virtual ~StagedExecutor() = default;

  // Returns how many batches run at a time, which is one on each device.
  virtual size_t devices() const noexcept = 0;
  // Returns how many batches may have begun and not finished, which is at least `devices`. A further Begin waits.
  virtual size_t depth() const noexcept = 0;

  // Allocates pinned memory for inputs, which the device reads without the CPU. Returns null if there is no more;
  // ordinary memory can be used instead, and is copied once more. It may outlive the executor.
  virtual std::shared_ptr<std::byte> Allocate(size_t bytes) noexcept = 0;

  // Starts a batch of at least one part, and returns before it has run. On failure nothing has begun. Only if `batched`
  // may the device add rows to fill the batch up; otherwise the batch runs in exactly its shapes.
  // OWNERSHIP Inputs in memory from Allocate must not change until Finish has returned; other inputs belong to the
  // caller again when Begin returns.
  virtual Status Begin(std::span<const Part> parts, bool batched, RunHandle& handle) = 0;

  // Waits for the batch that began with `handle`, and returns its outcome as Run does. Afterwards handle.Started returns
  // when its run started.
  virtual Status Finish(RunHandle& handle, OutputRef& outputs) noexcept = 0;
};

}  // namespace millrace
