#include "ort/device_session.h"

#include <algorithm>
#include <optional>

#include "ort/parts.h"

namespace millrace {

// The state of the batch of one worker.
class DeviceSession::Handle final : public RunHandle {
 public:
  Handle(const OrtApi& api, ExitGate& gate) : any_shape(api, gate) {}

  void Terminate() noexcept override {
    any_shape.Terminate();
    // The number of the batch is read before its slot. If the batch ends in between and another one gets the slot, the
    // slot has the other number, and ignores this call. acquire pairs with the release in BeginIn, so that a thread
    // that sees the number of a batch does not see the slot of the previous batch.
    const uint64_t ended = batch.load(std::memory_order_acquire);
    DeviceSlot* const busy = slot.load(std::memory_order_acquire);
    if (busy != nullptr) busy->Terminate(ended);
  }
  // `place` keeps the time of the previous batch until the next one is prepared.
  Nanos Started(Nanos asked) const noexcept override { return std::max(asked, place.since()); }

  DeviceQueue::Place place;
  OrtRunHandle any_shape;
  // Null if there is no batch or no device shape holds it.
  std::atomic<DeviceSlot*> slot{nullptr};
  std::atomic<uint64_t> batch{0};
  // A copy of the inputs of a batch that no device shape holds, so that their owners need not wait for the run.
  std::optional<GatheredParts> gathered;
};

bool DeviceSession::healthy() const noexcept {
  return !context_.lost.load(std::memory_order_relaxed);
}

// Without slots, no batch is copied while another one runs.
size_t DeviceSession::depth() const noexcept { return std::max<size_t>(slots_.size(), 1); }

std::shared_ptr<std::byte> DeviceSession::Allocate(size_t bytes) noexcept {
  return PinnedPool::Share(context_.pinned, bytes);
}

std::unique_ptr<RunHandle> DeviceSession::NewHandle() {
  auto handle = std::make_unique<Handle>(context_.api, context_.gate);
  // -1 means that no graph is recorded, since this handle is for other shapes than the device shapes. A failure can be
  // ignored here, because the first run reports it.
  if (behaviour_.graphs) handle->any_shape.Configure("gpu_graph_id", "-1").ok();
  return handle;
}

size_t DeviceSession::DeviceShapeOf(std::span<const Part> parts, bool batched) const {
  if (shapes_.empty() || parts.front().size() != signature().inputs.size()) return shapes_.size();
  return FindDeviceShape(shapes_, ShapesOf(parts), batched_ && batched).value_or(shapes_.size());
}

DeviceSlot* DeviceSession::TakeSlot() {
  std::unique_lock lock(mutex_);
  given_back_.wait(lock, [this] { return !free_slots_.empty(); });
  DeviceSlot* const slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void DeviceSession::GiveBack(DeviceSlot* slot) {
  const std::lock_guard lock(mutex_);
  free_slots_.push_back(slot);
  given_back_.notify_one();
}

Status DeviceSession::Begin(std::span<const Part> parts, bool batched, RunHandle& handle) noexcept {
  auto& mine = static_cast<Handle&>(handle);
  mine.place.Prepare();
  Status status;
  try {
    status = BeginIn(mine, parts, batched);
  } catch (...) {
    status = Caught();
  }
  if (!status.ok()) mine.place.GiveUp();
  return status;
}

// Nothing throws after TakeSlot, so that the slot is always given back.
Status DeviceSession::BeginIn(Handle& mine, std::span<const Part> parts, bool batched) {
  if (!healthy()) return DeviceContext::LostStatus();
  const size_t shape = DeviceShapeOf(parts, batched);
  if (shape == shapes_.size()) {
    if (provider_->builds_tensorrt_engines()) {
      return {Code::kInvalidArgument,
              "No device shape takes these inputs, and on this device other shapes would build a TensorRT "
              "engine first: send one of the declared shapes, or declare a length bucket for these"};
    }
    mine.gathered.emplace(parts);
    return {};
  }
  const GatePass pass(context_.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  int64_t rows = plans_[shape].rows;
  if (batched_ && !parts.front().empty()) rows = ShapesOf(parts).front().dims[0];
  DeviceSlot* const slot = TakeSlot();
  // relaxed, because the numbers only have to differ.
  const uint64_t number = batches_.fetch_add(1, std::memory_order_relaxed) + 1;
  Status status = slot->Upload(parts, shape, rows, number);
  if (!status.ok()) {
    GiveBack(slot);
    return status;
  }
  queue_.Enter(mine.place, clock_.Now());
  mine.batch.store(number, std::memory_order_release);
  mine.slot.store(slot, std::memory_order_release);
  try {
    thread_->Post([slot] { slot->Launch(); });
  } catch (...) {
    slot->Settle(Caught());
  }
  return {};
}

Status DeviceSession::Finish(RunHandle& handle, OutputRef& outputs) noexcept {
  auto& mine = static_cast<Handle&>(handle);
  DeviceSlot* const slot = mine.slot.load(std::memory_order_relaxed);
  if (slot == nullptr) {
    queue_.Enter(mine.place, clock_.Now());
    Status status = RunAnyShape(mine, outputs);
    queue_.Leave(mine.place, clock_.Now());
    mine.gathered.reset();
    return status;
  }
  // The gate is held so that exit waits for the device. A batch that has begun is finished even if the gate is closed.
  const GatePass pass(context_.gate);
  Status status = slot->Await(outputs);
  queue_.Leave(mine.place, clock_.Now());
  mine.slot.store(nullptr, std::memory_order_relaxed);
  GiveBack(slot);
  context_.pinned->Refill();
  return status;
}

Status DeviceSession::Run(std::span<const TensorView> inputs, RunHandle& handle,
                          OutputRef& outputs) {
  const Part whole = inputs;
  MILLRACE_RETURN_IF_ERROR(Begin({&whole, 1}, true, handle));
  return Finish(handle, outputs);
}

Status DeviceSession::RunAnyShape(Handle& handle, OutputRef& outputs) noexcept {
  Status status;
  try {
    thread_->Call([&] {
      status = context_.Note(session_->Run(handle.gathered->views(), handle.any_shape, outputs));
    });
  } catch (...) {
    status = Caught();
  }
  return status;
}

}  // namespace millrace
