// Executors of devices with memory of their own, which copy one batch while they run another.
#pragma once

#include <cstddef>
#include <span>

#include "batching/executor.h"

namespace millrace {

// One request's share of a batch: its inputs, in the order of the signature.
using Part = std::span<const TensorView>;

// The other face of an executor that takes a batch in two steps, so that a lane can form and begin the next one while
// the first is on its way:
//
//   Begin(a)  Begin(b)  Finish() -> a  Begin(c)  Finish() -> b …
//
// Parts are laid one after another along dimension 0 on the way to the device: nothing has to be
// gathered for it.
//
// THREADS As Executor; the calls with one handle come one after another, from one thread.
class StagedExecutor {
 public:
  virtual ~StagedExecutor() = default;

  // How many batches may have begun and not finished, over all handles. Begin waits for room, so one
  // handle must not begin more than this.
  virtual size_t depth() const noexcept = 0;

  // Memory that the device reads without help of the CPU, for what requests bring. Null if there is
  // no more of it; ordinary memory does as well, at the price of a copy.
  virtual std::byte* Allocate(size_t bytes) noexcept = 0;
  virtual void Free(std::byte* memory, size_t bytes) noexcept = 0;

  // Starts a batch. Returns before it has run; on failure nothing was begun.
  // OWNERSHIP Inputs in memory from Allocate stay as they are until Finish has returned; other
  // inputs are the caller's again when Begin returns.
  virtual Status Begin(std::span<const Part> parts, RunHandle& handle) = 0;

  // Waits for the oldest batch that began with `handle`, and gives its outcome as Run does.
  virtual Status Finish(RunHandle& handle, OutputRef& outputs) = 0;
};

}  // namespace millrace
