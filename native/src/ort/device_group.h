// One model on several GPUs.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "ort/device_session.h"

namespace millrace {

// A copy of the model on each GPU. A batch runs on the GPU with the fewest batches in flight, so that a faster GPU,
// whose batches end sooner, gets more of them. A GPU that is lost gets none.
class DeviceGroup final : public LoadedExecutor, public StagedExecutor {
 public:
  // Takes at least one session. All are of one model and have the same device shapes.
  DeviceGroup(std::vector<std::unique_ptr<DeviceSession>> sessions, std::string device);

  const Signature& signature() const noexcept override { return sessions_.front()->signature(); }
  const DeviceReport& report() const noexcept override { return report_; }
  // Returns false once all GPUs are lost.
  bool healthy() const noexcept override;

  std::unique_ptr<RunHandle> NewHandle() override;
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override;

  StagedExecutor* staged() noexcept override { return this; }
  size_t devices() const noexcept override { return sessions_.size(); }
  size_t depth() const noexcept override;
  // Allocates from the first GPU's pool, which all GPUs can read, the others with one more copy.
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
  // The batches in flight on each GPU; guarded by mutex_.
  std::vector<size_t> begun_;
};

}  // namespace millrace
