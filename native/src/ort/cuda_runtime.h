// The few functions of the CUDA runtime that copies and events need, found at run time: one addon
// serves machines with and without a GPU, and tests put their own functions in the table.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "batching/status.h"

namespace millrace {

// Handles are pointers in CUDA's own headers too, and its enums are ints.
using CudaStream = void*;
using CudaEvent = void*;
using CudaError = int;

enum class CudaCopy : int { kToDevice = 1, kToHost = 2 };

// Members are named and behave as in the CUDA runtime's API without the prefix `cuda`. Memory from
// HostAlloc is pinned: the device copies from and to it without the CPU.
struct CudaRuntime {
  CudaError (*GetDeviceCount)(int* count);
  CudaError (*SetDevice)(int device);
  CudaError (*DriverGetVersion)(int* version);
  CudaError (*RuntimeGetVersion)(int* version);
  // The structure begins with the name and is smaller than kPropertyBytes in every version.
  CudaError (*GetDeviceProperties)(void* properties, int device);
  CudaError (*DeviceGetAttribute)(int* value, int attribute, int device);
  CudaError (*MemGetInfo)(size_t* free, size_t* total);
  CudaError (*Malloc)(void** memory, size_t bytes);
  CudaError (*Free)(void* memory);
  CudaError (*HostAlloc)(void** memory, size_t bytes, unsigned flags);
  CudaError (*FreeHost)(void* memory);
  CudaError (*StreamCreateWithFlags)(CudaStream* stream, unsigned flags);
  CudaError (*StreamDestroy)(CudaStream stream);
  CudaError (*StreamSynchronize)(CudaStream stream);
  CudaError (*StreamWaitEvent)(CudaStream stream, CudaEvent event, unsigned flags);
  CudaError (*EventCreateWithFlags)(CudaEvent* event, unsigned flags);
  CudaError (*EventDestroy)(CudaEvent event);
  CudaError (*EventRecord)(CudaEvent event, CudaStream stream);
  CudaError (*EventSynchronize)(CudaEvent event);
  CudaError (*MemcpyAsync)(void* target, const void* source, size_t bytes, CudaCopy kind,
                           CudaStream stream);
  CudaError (*MemsetAsync)(void* target, int value, size_t bytes, CudaStream stream);
  CudaError (*ThreadExchangeStreamCaptureMode)(int* mode);
  const char* (*GetErrorString)(CudaError error);

  static constexpr size_t kPropertyBytes = 8192;
  static constexpr int kComputeCapabilityMajor = 75;
  static constexpr int kComputeCapabilityMinor = 76;
  static constexpr unsigned kStreamNonBlocking = 1;
  // A blocking wait sleeps, where the default burns a core.
  static constexpr unsigned kEventBlockingWithoutTiming = 1 | 2;
  static constexpr int kCaptureModeRelaxed = 2;
};

// Finds the runtime: the one already in the process, else version 13, else 12. kFailedPrecondition
// names what is missing. The table lives for ever. Thread-safe.
Status LoadCudaRuntime(const CudaRuntime*& runtime);

// One GPU, as reported.
struct GpuInfo {
  std::string name;
  // Compute capability as one number: 90 is 9.0.
  int capability = 0;
  size_t total_bytes = 0;
};

// How many GPUs can be used: never 0. kFailedPrecondition says why there is none.
Status CountGpus(const CudaRuntime& runtime, int& count);
Status ReadGpuInfo(const CudaRuntime& runtime, int device, GpuInfo& info);

// Makes `device` the calling thread's. Until it ends, the thread may also call CUDA while another records
// a graph, which CUDA otherwise forbids to all threads of the process: a model that is being loaded must
// not fail the runs of those that serve.
CudaError UseDevice(const CudaRuntime& runtime, int device) noexcept;

// Whether `error` leaves the device useless to this process, as after a fault in a kernel or when it
// has fallen off the bus: only a new process helps.
bool IsDeviceLost(CudaError error) noexcept;

// kOk; kResourceExhausted when memory ran out; kUnavailable for a lost device; else kInternal.
// `action` completes "cannot …".
Status FromCuda(const CudaRuntime& runtime, CudaError error, const char* action);

#define MILLRACE_CUDA(runtime, call, action)                                                   \
  do {                                                                                         \
    if (const ::millrace::CudaError cuda_error_ = (runtime).call; cuda_error_ != 0)            \
      return ::millrace::FromCuda((runtime), cuda_error_, (action));                           \
  } while (false)

// Owns a stream or an event; Release is the member of CudaRuntime that frees it.
template <CudaError (*CudaRuntime::* Release)(void*)>
struct CudaDeleter {
  const CudaRuntime* runtime = nullptr;
  void operator()(void* handle) const noexcept { (runtime->*Release)(handle); }
};
using CudaStreamPtr = std::unique_ptr<void, CudaDeleter<&CudaRuntime::StreamDestroy>>;
using CudaEventPtr = std::unique_ptr<void, CudaDeleter<&CudaRuntime::EventDestroy>>;
using CudaMemoryPtr = std::unique_ptr<void, CudaDeleter<&CudaRuntime::Free>>;

Status MakeStream(const CudaRuntime& runtime, CudaStreamPtr& stream);
Status MakeEvent(const CudaRuntime& runtime, CudaEventPtr& event);
Status MakeMemory(const CudaRuntime& runtime, size_t bytes, CudaMemoryPtr& memory);

}  // namespace millrace
