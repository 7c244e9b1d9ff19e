#include "ort/device_group.h"

#include <algorithm>
#include <atomic>

namespace millrace {
namespace {

// Weight of the newest observation: follows a change of clock rate within a dozen batches.
constexpr Nanos kHistory = 7;
constexpr Nanos kWeights = 8;

}  // namespace

// One handle of each session, and where the batch went.
class DeviceGroup::Handle final : public RunHandle {
 public:
  explicit Handle(const std::vector<std::unique_ptr<DeviceSession>>& sessions) {
    for (const auto& session : sessions) handles.push_back(session->NewHandle());
  }
  void Terminate() noexcept override {
    for (const auto& handle : handles) handle->Terminate();
  }
  Nanos Started(Nanos asked) const noexcept override {
    // acquire pairs with the release in Begin: the time is that device's.
    return handles[device.load(std::memory_order_acquire)]->Started(asked);
  }

  std::vector<std::unique_ptr<RunHandle>> handles;
  std::atomic<size_t> device{0};
  Batch batch;
};

DeviceGroup::DeviceGroup(std::vector<std::unique_ptr<DeviceSession>> sessions, std::string device)
    : sessions_(std::move(sessions)), report_(sessions_.front()->report()) {
  report_.device = std::move(device);
  report_.notes.clear();
  for (const auto& session : sessions_) {
    const DeviceReport& own = session->report();
    for (const std::string& note : own.notes) report_.notes.push_back(own.device + ": " + note);
    Load& load = loads_.emplace_back();
    for (const DeviceReport::WarmBucket& bucket : own.buckets) load.costs.push_back(bucket.cost);
    load.costs.push_back(0);
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

Status DeviceGroup::Choose(size_t bucket, Batch& batch) {
  const std::lock_guard lock(mutex_);
  const Nanos now = clock_.Now();
  // Where all are full Begin waits, as it says.
  std::optional<size_t> chosen;
  for (const bool full : {false, true}) {
    std::vector<DeviceView> views;
    for (size_t i = 0; i < sessions_.size(); ++i) {
      const Load& load = loads_[i];
      const bool room = full || load.begun < sessions_[i]->depth();
      views.push_back(
          {load.free_at, load.costs[bucket], load.begun, room && sessions_[i]->healthy()});
    }
    if (!chosen) chosen = ChooseDevice(views, now);
  }
  if (!chosen) return DeviceContext::LostStatus();
  Load& load = loads_[*chosen];
  load.free_at = std::max(load.free_at, now) + load.costs[bucket];
  ++load.begun;
  batch = {*chosen, bucket};
  return {};
}

void DeviceGroup::Done(const Batch& batch, Nanos cost) noexcept {
  const std::lock_guard lock(mutex_);
  Load& load = loads_[batch.device];
  Nanos& mean = load.costs[batch.bucket];
  if (cost > 0) mean = mean == 0 ? cost : (kHistory * mean + cost) / kWeights;
  if (--load.begun == 0) load.free_at = clock_.Now();
}

Status DeviceGroup::Begin(std::span<const Part> parts, RunHandle& handle) {
  auto& mine = static_cast<Handle&>(handle);
  Batch batch;
  MILLRACE_RETURN_IF_ERROR(Choose(sessions_.front()->BucketOf(parts), batch));
  mine.batch = batch;
  const Status status = sessions_[batch.device]->Begin(parts, *mine.handles[batch.device]);
  mine.device.store(batch.device, std::memory_order_release);
  if (!status.ok()) Done(batch, 0);
  return status;
}

Status DeviceGroup::Finish(RunHandle& handle, OutputRef& outputs) noexcept {
  auto& mine = static_cast<Handle&>(handle);
  RunHandle& own = *mine.handles[mine.batch.device];
  const Status status = sessions_[mine.batch.device]->Finish(own, outputs);
  Done(mine.batch, status.ok() ? clock_.Now() - own.Started(0) : 0);
  return status;
}

Status DeviceGroup::Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) {
  const Part whole = inputs;
  MILLRACE_RETURN_IF_ERROR(Begin({&whole, 1}, handle));
  return Finish(handle, outputs);
}

}  // namespace millrace
