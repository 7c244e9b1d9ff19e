#include "ort/device_group.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

namespace millrace {

// Holds a handle of each session, and the index of the GPU that runs the batch.
class DeviceGroup::Handle final : public RunHandle {
 public:
  explicit Handle(const std::vector<std::unique_ptr<DeviceSession>>& sessions) {
    for (const auto& session : sessions) handles.push_back(session->NewHandle());
  }
  void Terminate() noexcept override {
    for (const auto& handle : handles) handle->Terminate();
  }
  Nanos Started(Nanos asked) const noexcept override {
    // acquire pairs with the release in Begin.
    return handles[device.load(std::memory_order_acquire)]->Started(asked);
  }

  std::vector<std::unique_ptr<RunHandle>> handles;
  std::atomic<size_t> device{0};
};

DeviceGroup::DeviceGroup(std::vector<std::unique_ptr<DeviceSession>> sessions, std::string device)
    : sessions_(std::move(sessions)), report_(sessions_.front()->report()), begun_(sessions_.size()) {
  report_.device = std::move(device);
  report_.notes.clear();
  for (const auto& session : sessions_) {
    const DeviceReport& own = session->report();
    for (const std::string& note : own.notes) report_.notes.push_back(own.device + ": " + note);
  }
}

bool DeviceGroup::healthy() const noexcept {
  return std::ranges::any_of(sessions_, [](const auto& session) { return session->healthy(); });
}

size_t DeviceGroup::depth() const noexcept {
  size_t sum = 0;
  for (const auto& session : sessions_) sum += session->depth();
  return sum;
}

std::unique_ptr<RunHandle> DeviceGroup::NewHandle() { return std::make_unique<Handle>(sessions_); }

Status DeviceGroup::Choose(size_t& device) {
  const std::lock_guard lock(mutex_);
  std::optional<size_t> chosen;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    if (sessions_[i]->healthy() && (!chosen || begun_[i] < begun_[*chosen])) chosen = i;
  }
  if (!chosen) return DeviceContext::LostStatus();
  device = *chosen;
  ++begun_[device];
  return {};
}

void DeviceGroup::Done(size_t device) noexcept {
  const std::lock_guard lock(mutex_);
  --begun_[device];
}

Status DeviceGroup::Begin(std::span<const Part> parts, bool batched, RunHandle& handle) noexcept {
  auto& mine = static_cast<Handle&>(handle);
  size_t device = 0;
  MILLRACE_RETURN_IF_ERROR(Choose(device));
  // The device is stored before Begin, because the batch may wait for it there.
  mine.device.store(device, std::memory_order_release);
  Status status = sessions_[device]->Begin(parts, batched, *mine.handles[device]);
  if (!status.ok()) Done(device);
  return status;
}

Status DeviceGroup::Finish(RunHandle& handle, OutputRef& outputs) noexcept {
  auto& mine = static_cast<Handle&>(handle);
  // relaxed, because this thread also called Begin.
  const size_t device = mine.device.load(std::memory_order_relaxed);
  Status status = sessions_[device]->Finish(*mine.handles[device], outputs);
  Done(device);
  return status;
}

Status DeviceGroup::Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) {
  const Part whole = inputs;
  MILLRACE_RETURN_IF_ERROR(Begin({&whole, 1}, true, handle));
  return Finish(handle, outputs);
}

}  // namespace millrace
