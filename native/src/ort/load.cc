#include "ort/device_group.h"

namespace millrace {
namespace {

Status Finish(const SessionOptions& options, std::unique_ptr<Session> session,
              std::unique_ptr<LoadedExecutor>& executor) {
  ShapeChoice ignored;
  if (options.choose != nullptr) {
    MILLRACE_RETURN_IF_ERROR(options.choose(session->signature(), *session, ignored));
  }
  executor = std::move(session);
  return {};
}

Status LoadOnCpu(const OrtLibrary& library, const SessionOptions& options,
                 std::unique_ptr<LoadedExecutor>& executor) {
  KeyValues none;
  MILLRACE_RETURN_IF_ERROR(
      TranslateOptions("cpu", CpuProvider().options(), options.device.options, none));
  const KeyValues& raw = options.device.provider_options;
  const ProviderRequest request{library, {}, none, raw};
  SessionSetup setup;
  setup.provider = &CpuProvider();
  setup.request = &request;
  std::unique_ptr<Session> session;
  MILLRACE_RETURN_IF_ERROR(Session::Open(library, options, setup, session));
  return Finish(options, std::move(session), executor);
}

Status LoadOnEvery(const OrtLibrary& library, const SessionOptions& options, DeviceSpec device,
                   std::unique_ptr<LoadedExecutor>& executor) {
  const CudaRuntime* cuda = options.device.cuda;
  if (cuda == nullptr) {
    // Missing files of the provider are reported before missing files of CUDA.
    MILLRACE_RETURN_IF_ERROR(ProviderFor(device.kind).CheckFiles(library));
    MILLRACE_RETURN_IF_ERROR(LoadCudaRuntime(cuda));
  }
  int count = 0;
  MILLRACE_RETURN_IF_ERROR(CountGpus(*cuda, count));
  const std::string name = DeviceName(device);
  std::vector<std::unique_ptr<DeviceSession>> sessions;
  for (device.index = 0; device.index < count; ++device.index) {
    MILLRACE_RETURN_IF_ERROR(
        DeviceSession::Load(library, options, device, sessions.emplace_back()));
  }
  executor = std::make_unique<DeviceGroup>(std::move(sessions), name);
  return {};
}

Status LoadOnGpu(const OrtLibrary& library, const SessionOptions& options,
                 const DeviceSpec& device, std::unique_ptr<LoadedExecutor>& executor) {
  if (device.index == DeviceSpec::kEvery) return LoadOnEvery(library, options, device, executor);
  std::unique_ptr<DeviceSession> session;
  MILLRACE_RETURN_IF_ERROR(DeviceSession::Load(library, options, device, session));
  executor = std::move(session);
  return {};
}

}  // namespace

Status LoadExecutor(const OrtLibrary& library, const SessionOptions& options,
                    std::unique_ptr<LoadedExecutor>& executor) {
  DeviceSpec device;
  MILLRACE_RETURN_IF_ERROR(ParseDevice(options.device.device, device));
  if (device.kind == DeviceKind::kCpu) return LoadOnCpu(library, options, executor);
  if (device.kind != DeviceKind::kAuto) return LoadOnGpu(library, options, device, executor);
  // `auto` does not try TensorRT, which takes minutes and has to be requested.
  const Status status = LoadOnGpu(library, options, {DeviceKind::kCuda, 0}, executor);
  // A model or an option that is invalid is also invalid on the CPU.
  if (status.ok() || status.code() == Code::kInvalidArgument) return status;
  std::unique_ptr<Session> session;
  MILLRACE_RETURN_IF_ERROR(Session::Load(library, options, session));
  session->FellBack(status.message());
  return Finish(options, std::move(session), executor);
}

}  // namespace millrace
