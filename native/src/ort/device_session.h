// A model on one GPU.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "batching/device_queue.h"
#include "batching/staged.h"
#include "ort/device_slot.h"
#include "ort/device_thread.h"
#include "ort/session.h"

namespace millrace {

// Runs a batch in the smallest device shape that holds it: its inputs are copied into that shape's buffers on the
// device, to which ONNX Runtime is bound, and its outputs to pinned memory. With two slots one batch is copied while
// another runs.
//
// A batch that no device shape holds runs from the CPU's memory, one batch at a time, or is refused if it would build a
// TensorRT engine.
class DeviceSession final : public LoadedExecutor, public StagedExecutor {
 public:
  // Loads the model onto `device`, which is one GPU. The errors are those of LoadExecutor.
  static Status Load(const OrtLibrary& library, const SessionOptions& options,
                     const DeviceSpec& device, std::unique_ptr<DeviceSession>& session);
  ~DeviceSession() override;

  const Signature& signature() const noexcept override { return session_->signature(); }
  const DeviceReport& report() const noexcept override { return report_; }
  bool healthy() const noexcept override;

  std::unique_ptr<RunHandle> NewHandle() override;
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override;

  StagedExecutor* staged() noexcept override { return this; }
  size_t devices() const noexcept override { return 1; }
  size_t depth() const noexcept override;
  std::shared_ptr<std::byte> Allocate(size_t bytes) noexcept override;
  Status Begin(std::span<const Part> parts, bool batched, RunHandle& handle) noexcept override;
  Status Finish(RunHandle& handle, OutputRef& outputs) noexcept override;

  // Returns the device shape in which these parts would run, or `shapes.size()` of the report if none takes them.
  size_t DeviceShapeOf(std::span<const Part> parts, bool batched) const;

  // -------------------------------------------------------------------------------------------
  // Implementation details follow.
 private:
  class Handle;

  DeviceSession(const OrtLibrary& library, const SessionOptions& options, const DeviceSpec& device);

  // The parts of Load, in device_load.cc. They run on the device's thread.
  Status Open();
  Status OpenSession(ProviderRequest& request);
  Status RetryOpen(ProviderRequest& request, const SessionSetup& setup, Status status);
  Status PrepareTensorRtEngines(ProviderRequest& request);
  Status Choose(const Signature& signature, Executor& trial);
  void PlanShapes();
  Status ProbeShapes();
  Status WarmShapes();
  Status WarmShape(size_t shape);
  Status CheckShapes();
  Status CompareBound(const Part& inputs, const OutputBlock& expected, bool& equal);
  void ReportPlacement();
  void Close();

  Status BeginIn(Handle& handle, std::span<const Part> parts, bool batched);
  DeviceSlot* TakeSlot();
  void GiveBack(DeviceSlot* slot);
  Status RunAnyShape(Handle& handle, OutputRef& outputs) noexcept;

  const OrtLibrary& library_;
  // Used only during the load.
  const SessionOptions& options_;
  const DeviceSpec device_;
  bool batched_ = false;
  const Provider* provider_ = nullptr;
  KeyValues translated_;
  DeviceBehaviour behaviour_;

  DeviceContext context_;
  std::unique_ptr<Session> session_;
  SlotSession slot_session_;
  DeviceReport report_;
  std::vector<DeviceShape> shapes_;
  std::deque<DeviceShapePlan> plans_;
  std::vector<std::unique_ptr<DeviceSlot>> slots_;

  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<DeviceSlot*> free_slots_;  // guarded by mutex_

  const SteadyClock clock_;
  DeviceQueue queue_;
  std::atomic<uint64_t> batches_{0};
  std::unique_ptr<DeviceThread> thread_;
};

}  // namespace millrace
