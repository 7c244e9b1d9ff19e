#include "ort/device_context.h"

namespace millrace {

Status DeviceContext::LostStatus() noexcept {
  return Status::Of(Code::kUnavailable, "The GPU is lost to this process: restart it");
}

Status DeviceContext::Check(CudaError error, const char* action) {
  if (error == 0) return {};
  if (IsDeviceLost(error)) lost.store(true, std::memory_order_relaxed);
  return FromCuda(cuda, error, action);
}

Status DeviceContext::Note(Status status) {
  if (status.ok() || status.code() == Code::kDeadlineExceeded) return status;
  const CudaError error = cuda.StreamSynchronize(compute != nullptr ? compute.get() : copy_in.get());
  if (!IsDeviceLost(error)) return status;
  return Check(error, "run the model");
}

Status OpenDevice(DeviceContext& context, const char* memory, bool own_stream) {
  const CudaRuntime& cuda = context.cuda;
  MILLRACE_RETURN_IF_ERROR(FromCuda(cuda, UseDevice(cuda, context.index), "select the GPU"));
  MILLRACE_RETURN_IF_ERROR(MakeStream(cuda, context.copy_in));
  MILLRACE_RETURN_IF_ERROR(MakeStream(cuda, context.copy_out));
  if (own_stream) MILLRACE_RETURN_IF_ERROR(MakeStream(cuda, context.compute));
  OrtMemoryInfo* info = nullptr;
  MILLRACE_ORT(context.api,
               CreateMemoryInfo(memory, OrtDeviceAllocator, context.index, OrtMemTypeDefault, &info),
               Code::kInternal);
  context.memory = OrtMemoryInfoPtr(info, {&context.api});
  context.pinned = std::make_shared<PinnedPool>(cuda, context.index, context.gate);
  return {};
}

}  // namespace millrace
