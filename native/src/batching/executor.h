// The interface between the batcher and what runs a model: ONNX Runtime in the product, and fakes in tests.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "batching/clock.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// The outputs of one run. Every request of the batch refers to its rows of them, so that they are copied only once,
// to JavaScript memory. The last reference frees them, on any thread.
class OutputBlock {
 public:
  virtual ~OutputBlock() = default;
  std::vector<TensorView> tensors;
};

using OutputRef = std::shared_ptr<const OutputBlock>;

class StagedExecutor;

// The runs of one worker, one after another. Another thread can terminate the present one.
class RunHandle {
 public:
  virtual ~RunHandle() = default;
  // Makes the run in progress fail as soon as possible, which is between two nodes of the graph. Any thread may call
  // it while a run is in progress.
  virtual void Terminate() noexcept = 0;

  // Returns when the run that was requested at `asked` started, which is later if it had to wait for its device, and
  // kNever while it waits. Any thread may call it.
  virtual Nanos Started(Nanos asked) const noexcept { return asked; }
};

// Runs a model on one batch.
//
// THREADS Several workers may call Run at a time, each with a handle of its own.
// OWNERSHIP The inputs belong to the caller and are valid only during the call. On success the outputs belong to the
// caller.
// ERRORS The executor can be used again after a failed run.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual std::unique_ptr<RunHandle> NewHandle() = 0;

  // Runs the model on `inputs`, which are in the order of the signature. On success `outputs` holds a tensor for each
  // output of the signature, in order. Returns kDeadlineExceeded if the run was terminated.
  virtual Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) = 0;

  // Returns this executor if it can copy one batch while it runs another (batching/staged.h), otherwise null.
  virtual StagedExecutor* staged() noexcept { return nullptr; }
};

}  // namespace millrace
