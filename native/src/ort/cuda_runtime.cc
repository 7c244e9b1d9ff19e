#include "ort/cuda_runtime.h"

#include <dlfcn.h>

#include <array>
#include <mutex>

#include "ort/missing_library.h"

namespace millrace {
namespace {

constexpr CudaError kOutOfMemory = 2;
constexpr CudaError kInsufficientDriver = 35;
constexpr CudaError kNoDevice = 100;

// The values of cudaError_t after which every CUDA call of the process fails.
constexpr std::array kFatal{46, 214, 220, 226, 700, 702, 709, 710, 714, 715,
                            716, 717, 718, 719, 721, 807, 810, 911};

template <class Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

// Fills the table. Returns null, or the name of the function that the library lacks.
const char* Fill(void* library, CudaRuntime& table) {
#define MILLRACE_FIND(member) \
  if (!Find(library, "cuda" #member, table.member)) return "cuda" #member
  MILLRACE_FIND(GetDeviceCount);
  MILLRACE_FIND(SetDevice);
  MILLRACE_FIND(DriverGetVersion);
  MILLRACE_FIND(RuntimeGetVersion);
  MILLRACE_FIND(DeviceGetAttribute);
  MILLRACE_FIND(MemGetInfo);
  MILLRACE_FIND(Malloc);
  MILLRACE_FIND(Free);
  MILLRACE_FIND(HostAlloc);
  MILLRACE_FIND(FreeHost);
  MILLRACE_FIND(StreamCreateWithFlags);
  MILLRACE_FIND(StreamDestroy);
  MILLRACE_FIND(StreamSynchronize);
  MILLRACE_FIND(StreamWaitEvent);
  MILLRACE_FIND(EventCreateWithFlags);
  MILLRACE_FIND(EventDestroy);
  MILLRACE_FIND(EventRecord);
  MILLRACE_FIND(EventSynchronize);
  MILLRACE_FIND(MemcpyAsync);
  MILLRACE_FIND(Memcpy3DAsync);
  MILLRACE_FIND(MemsetAsync);
  MILLRACE_FIND(Memset3DAsync);
  MILLRACE_FIND(ThreadExchangeStreamCaptureMode);
  MILLRACE_FIND(GetErrorString);
#undef MILLRACE_FIND
  // CUDA 12 renamed the function when its structure grew, and CUDA 13 went back to the old name.
  if (Find(library, "cudaGetDeviceProperties_v2", table.GetDeviceProperties) ||
      Find(library, "cudaGetDeviceProperties", table.GetDeviceProperties)) {
    return nullptr;
  }
  return "cudaGetDeviceProperties";
}

Status Load(CudaRuntime& table) {
  std::string reason;
  for (const char* name : {"libcudart.so.13", "libcudart.so.12"}) {
    void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
      if (const char* said = dlerror(); reason.empty() && said != nullptr) reason = said;
      continue;
    }
    const char* const missing = Fill(library, table);
    if (missing == nullptr) return {};
    return {Code::kFailedPrecondition,
            std::string(name) + " lacks " + missing + ": install CUDA 13 or 12"};
  }
  return ExplainLoadError("cuda", reason);
}

}  // namespace

Status LoadCudaRuntime(const CudaRuntime*& runtime) {
  static std::mutex mutex;
  static CudaRuntime* loaded = nullptr;  // never freed
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    auto fresh = std::make_unique<CudaRuntime>();
    MILLRACE_RETURN_IF_ERROR(Load(*fresh));
    loaded = fresh.release();
  }
  runtime = loaded;
  return {};
}

Status CountGpus(const CudaRuntime& runtime, int& count) {
  count = 0;
  const CudaError error = runtime.GetDeviceCount(&count);
  if (error == 0 && count > 0) return {};
  if (error == kInsufficientDriver) {
    int driver = 0;
    int wanted = 0;
    // These calls need no driver. If one fails, the version remains 0.
    static_cast<void>(runtime.DriverGetVersion(&driver));
    static_cast<void>(runtime.RuntimeGetVersion(&wanted));
    const auto version = [](int number) {
      return std::to_string(number / 1000) + '.' + std::to_string(number % 1000 / 10);
    };
    return {Code::kFailedPrecondition,
            driver == 0 ? "There is no NVIDIA driver: install one for CUDA " + std::to_string(wanted / 1000) +
                              ", or start the container with the NVIDIA runtime"
                        : "The NVIDIA driver is for CUDA " + version(driver) +
                              ", older than the runtime's " + version(wanted) + ": update the driver"};
  }
  if (error == 0 || error == kNoDevice) {
    return {Code::kFailedPrecondition,
            "There is no GPU that CUDA can use: check nvidia-smi and CUDA_VISIBLE_DEVICES"};
  }
  return {Code::kFailedPrecondition,
          std::string("CUDA cannot be used: ") + runtime.GetErrorString(error)};
}

Status CheckGpu(const CudaRuntime& runtime, int device) {
  int count = 0;
  MILLRACE_RETURN_IF_ERROR(CountGpus(runtime, count));
  if (device >= 0 && device < count) return {};
  return {Code::kFailedPrecondition, "There is no GPU " + std::to_string(device) + ": this process sees " +
                                         std::to_string(count) + ", numbered from 0"};
}

Status ReadGpuInfo(const CudaRuntime& runtime, int device, GpuInfo& info) {
  MILLRACE_RETURN_IF_ERROR(FromCuda(runtime, UseDevice(runtime, device), "select the GPU"));
  const auto properties = std::make_unique<char[]>(CudaRuntime::kPropertyBytes);
  MILLRACE_CUDA(runtime, GetDeviceProperties(properties.get(), device), "read the GPU's properties");
  constexpr size_t kNameBytes = 256;
  properties[kNameBytes - 1] = '\0';
  info.name = properties.get();
  int major = 0;
  int minor = 0;
  MILLRACE_CUDA(runtime, DeviceGetAttribute(&major, CudaRuntime::kComputeCapabilityMajor, device),
                "read the GPU's compute capability");
  MILLRACE_CUDA(runtime, DeviceGetAttribute(&minor, CudaRuntime::kComputeCapabilityMinor, device),
                "read the GPU's compute capability");
  info.capability = 10 * major + minor;
  size_t unused = 0;
  MILLRACE_CUDA(runtime, MemGetInfo(&unused, &info.total_bytes), "read the GPU's memory");
  return {};
}

CudaError UseDevice(const CudaRuntime& runtime, int device) noexcept {
  if (const CudaError error = runtime.SetDevice(device); error != 0) return error;
  int mode = CudaRuntime::kCaptureModeRelaxed;
  return runtime.ThreadExchangeStreamCaptureMode(&mode);
}

bool IsDeviceLost(CudaError error) noexcept {
  for (const int fatal : kFatal) {
    if (fatal == error) return true;
  }
  return false;
}

Status FromCuda(const CudaRuntime& runtime, CudaError error, const char* action) {
  if (error == 0) return {};
  const std::string what = std::string("Cannot ") + action + ": ";
  if (error == kOutOfMemory) {
    return {Code::kResourceExhausted,
            what + "the GPU is out of memory; use fewer or smaller length buckets or batch sizes, or a larger GPU"};
  }
  const std::string reason = runtime.GetErrorString(error);
  if (IsDeviceLost(error)) {
    return {Code::kUnavailable, what + "the GPU is lost to this process (" + reason + "); restart it"};
  }
  return {Code::kInternal, what + reason};
}

Status MakeStream(const CudaRuntime& runtime, CudaStreamPtr& stream) {
  CudaStream raw = nullptr;
  MILLRACE_CUDA(runtime, StreamCreateWithFlags(&raw, CudaRuntime::kStreamNonBlocking),
                "make a CUDA stream");
  stream = CudaStreamPtr(raw, {&runtime});
  return {};
}

Status MakeEvent(const CudaRuntime& runtime, CudaEventPtr& event) {
  CudaEvent raw = nullptr;
  MILLRACE_CUDA(runtime, EventCreateWithFlags(&raw, CudaRuntime::kEventBlockingWithoutTiming),
                "make a CUDA event");
  event = CudaEventPtr(raw, {&runtime});
  return {};
}

Status MakeMemory(const CudaRuntime& runtime, size_t bytes, CudaMemoryPtr& memory) {
  void* raw = nullptr;
  MILLRACE_CUDA(runtime, Malloc(&raw, bytes), "allocate GPU memory");
  memory = CudaMemoryPtr(raw, {&runtime});
  return {};
}

}  // namespace millrace
