// One GPU as one model uses it: streams, memory, and whether it is still there.
#pragma once

#include <atomic>
#include <memory>

#include "ort/api.h"
#include "ort/cuda_runtime.h"
#include "ort/pinned_pool.h"

namespace millrace {

struct DeviceContext {
  const OrtApi& api;
  ExitGate& gate;
  const CudaRuntime& cuda;
  int index = 0;

  // Three, so that a copy in, a run and a copy out of three batches go on at once. `compute` is null
  // where the provider runs on a stream of its own.
  CudaStreamPtr copy_in;
  CudaStreamPtr compute;
  CudaStreamPtr copy_out;

  // Where tensors live that a run is bound to.
  OrtMemoryInfoPtr memory;
  std::shared_ptr<PinnedPool> pinned;
  std::atomic<bool> lost{false};

  // `status`, having noted if it says that the device is lost. After a failure of ONNX Runtime, whose
  // message may not tell, the device itself is asked.
  Status Note(Status status);
  Status Check(CudaError error, const char* action);

  static Status LostStatus() noexcept;
};

// Makes streams, memory description and pool. `memory` as in Provider::memory.
Status OpenDevice(DeviceContext& context, const char* memory, bool own_stream);

}  // namespace millrace
