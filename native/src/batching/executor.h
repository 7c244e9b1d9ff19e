// The narrow waist between batching and whatever runs a model: ONNX Runtime in the product, a puppet
// in tests.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <utility>
#include <vector>

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

// Runs a model on one batch.
//
// THREADS Run may be called by several lanes at once and must be safe for that.
// OWNERSHIP The inputs stay the caller's and are valid during the call only; the block is the
// caller's on success.
// ERRORS A failed run leaves the executor usable.
class Executor {
 public:
  virtual ~Executor() = default;

  // `inputs` follow the order of the signature. On success `outputs` holds one tensor per output of
  // the signature, in order.
  virtual Status Run(std::span<const TensorView> inputs, OutputRef& outputs) = 0;

  // Makes runs in progress fail as soon as they can (between two nodes of the graph). Thread-safe.
  virtual void Terminate() noexcept = 0;
};

}  // namespace millrace
