// One model on several GPUs.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "ort/device_session.h"

namespace millrace {

// A copy of the model on each GPU. A batch goes where the fewest are on their way, so that a faster GPU,
// whose batches end sooner, gets more of them. A GPU that is lost is left out.
class DeviceGroup final : public LoadedExecutor, public StagedExecutor {
 public:
  // At least one session; all of one model and with the same device shapes.
  DeviceGroup(std::vector<std::unique_ptr<DeviceSession>> sessions, std::string device);

  const Signature& signature() const noexcept override { return sessions_.front()->signature(); }
  const DeviceReport& report() const noexcept override { return report_; }
  // While any GPU is left.
  bool healthy() const noexcept override;

  std::unique_ptr<RunHandle> NewHandle() override;
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override;

  StagedExecutor* staged() noexcept override { return this; }
  size_t devices() const noexcept override { return sessions_.size(); }
  size_t depth() const noexcept override;
  // From the first GPU's pool: all of them can read it, the others with one copy more.
  std::shared_ptr<std::byte> Allocate(size_t bytes) noexcept override {
    return sessions_.front()->Allocate(bytes);
  }
  Status Begin(std::span<const Part> parts, bool batched, RunHandle& handle) noexcept override;
  Status Finish(RunHandle& handle, OutputRef& outputs) noexcept override;

 private:
  class Handle;

  Status Choose(size_t& device);
  void Done(size_t device) noexcept;

  const std::vector<std::unique_ptr<DeviceSession>> sessions_;
  DeviceReport report_;
  std::mutex mutex_;
  // Batches on their way to each GPU; guarded by mutex_.
  std::vector<size_t> begun_;
};

}  // namespace millrace
