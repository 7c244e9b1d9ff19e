// The narrow waist between batching and whatever runs a model: ONNX Runtime in the product, a puppet
// in tests.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "batching/clock.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// The outputs of one run. Every request of the batch refers to its rows in here, so nothing is
// copied until JavaScript memory is filled; the last reference frees it, on any thread.
class OutputBlock {
 public:
  virtual ~OutputBlock() = default;
  std::vector<TensorView> tensors;
};

using OutputRef = std::shared_ptr<const OutputBlock>;

class StagedExecutor;

// One worker's runs, one after another, so that another thread can cut the present one short.
class RunHandle {
 public:
  virtual ~RunHandle() = default;
  // Makes the run in progress fail as soon as it can (between two nodes of the graph). Any thread;
  // the caller sees to it that a run is in progress.
  virtual void Terminate() noexcept = 0;

  // When the last run that was asked for at `asked` has started: later where it had to wait for its
  // device, kNever while it waits. Any thread.
  virtual Nanos Started(Nanos asked) const noexcept { return asked; }
};

// Runs a model on one batch.
//
// THREADS Run may be called by several workers at once, each with a handle of its own, and must be safe
// for that.
// OWNERSHIP The inputs stay the caller's and are valid during the call only; the block is the
// caller's on success.
// ERRORS A failed run leaves the executor usable.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual std::unique_ptr<RunHandle> NewHandle() = 0;

  // `inputs` follow the order of the signature. On success `outputs` holds one tensor per output of
  // the signature, in order. Terminated: kDeadlineExceeded.
  virtual Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) = 0;

  // This executor, if it can copy one batch while it runs another (batching/staged.h), else null.
  virtual StagedExecutor* staged() noexcept { return nullptr; }
};

}  // namespace millrace
