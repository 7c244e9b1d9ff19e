// One GPU as one model uses it: its streams, its memory, and whether it is lost.
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

  // With three streams, one batch can be copied in while another runs and a third is copied out. `compute` is null if
  // the provider runs on a stream of its own.
  CudaStreamPtr copy_in;
  CudaStreamPtr compute;
  CudaStreamPtr copy_out;

  // The memory of the tensors to which runs are bound.
  OrtMemoryInfoPtr memory;
  std::shared_ptr<PinnedPool> pinned;
  std::atomic<bool> lost{false};

  // Returns `status`, and sets `lost` if the device is lost. Since ONNX Runtime's message may not say so, this queries
  // the device itself after a failure.
  Status Note(Status status);
  // Returns the status of a call of the CUDA runtime, and sets `lost` if the device is lost. `action` is as in
  // FromCuda.
  Status Check(CudaError error, const char* action);

  static Status LostStatus() noexcept;
};

// Makes the streams, the description of the memory, and the pool. `memory` is as in Provider::memory.
Status OpenDevice(DeviceContext& context, const char* memory, bool own_stream);

}  // namespace millrace
