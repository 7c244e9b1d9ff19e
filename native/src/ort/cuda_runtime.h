// A table of the few functions of the CUDA runtime that copies and events need. They are looked up at run time, so that
// one addon serves machines with and without a GPU, and tests can put their own functions in the table.
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

enum class CudaCopy : int { kToDevice = 1, kToHost = 2, kOnDevice = 3 };

// A cudaPitchedPtr: slices of `rows` runs that are `pitch` bytes apart.
struct CudaPitched {
  void* data = nullptr;
  size_t pitch = 0;
  size_t width = 0;
  size_t rows = 0;
};

// A cudaExtent: bytes, runs, and slices.
struct CudaExtent {
  size_t width = 0;
  size_t height = 0;
  size_t depth = 0;
};

// A cudaMemcpy3DParms. Arrays and positions, which CUDA has for textures, are always null and 0.
struct CudaCopy3D {
  void* source_array = nullptr;
  size_t source_position[3] = {};
  CudaPitched source;
  void* target_array = nullptr;
  size_t target_position[3] = {};
  CudaPitched target;
  CudaExtent extent;
  CudaCopy kind = CudaCopy::kOnDevice;
};

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
  CudaError (*Memcpy3DAsync)(const CudaCopy3D* copy, CudaStream stream);
  CudaError (*MemsetAsync)(void* target, int value, size_t bytes, CudaStream stream);
  CudaError (*Memset3DAsync)(CudaPitched target, int value, CudaExtent extent, CudaStream stream);
  CudaError (*ThreadExchangeStreamCaptureMode)(int* mode);
  const char* (*GetErrorString)(CudaError error);

  static constexpr size_t kPropertyBytes = 8192;
  static constexpr int kComputeCapabilityMajor = 75;
  static constexpr int kComputeCapabilityMinor = 76;
  static constexpr unsigned kStreamNonBlocking = 1;
  // With the flag for blocking waits, EventSynchronize sleeps; by default it spins and occupies a core.
  static constexpr unsigned kEventBlockingWithoutTiming = 1 | 2;
  static constexpr int kCaptureModeRelaxed = 2;
};

// Loads the CUDA runtime, version 13 or else version 12. Returns kFailedPrecondition with what is missing if there is
// neither. The table is never freed. Thread-safe.
Status LoadCudaRuntime(const CudaRuntime*& runtime);

// The properties of one GPU, as CUDA reports them.
struct GpuInfo {
  std::string name;
  // The compute capability as one number: 90 is 9.0.
  int capability = 0;
  size_t total_bytes = 0;
};

// Counts the GPUs that can be used. If there is none, returns kFailedPrecondition with the reason.
Status CountGpus(const CudaRuntime& runtime, int& count);
// Returns kFailedPrecondition if there is no GPU of this number.
Status CheckGpu(const CudaRuntime& runtime, int device);
Status ReadGpuInfo(const CudaRuntime& runtime, int device, GpuInfo& info);

// Makes `device` the current device of the calling thread. From then on the thread may also call CUDA while another
// thread records a graph. CUDA otherwise forbids this to all threads of the process, and loading one model would fail
// the runs of others.
CudaError UseDevice(const CudaRuntime& runtime, int device) noexcept;

// Returns whether this process can no longer use the device after `error`, for example because a kernel faulted or the
// device has fallen off the bus. The process must then be restarted.
bool IsDeviceLost(CudaError error) noexcept;

// Returns kOk, kResourceExhausted if memory ran out, kUnavailable if the device is lost, and otherwise kInternal.
// `action` completes "Cannot …".
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
