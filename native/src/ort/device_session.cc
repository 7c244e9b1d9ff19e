#include "ort/device_session.h"

#include "ort/parts.h"

namespace millrace {

// The batches of one lane that have begun. They finish in the order they began.
class DeviceSession::Handle final : public RunHandle {
 public:
  struct Batch {
    // Null: `outputs` are here already.
    DeviceSlot* slot = nullptr;
    OutputRef outputs;
  };

  Handle(const OrtApi& api, ExitGate& gate) : any_shape(api, gate) {}

  void Terminate() noexcept override {
    any_shape.Terminate();
    const std::lock_guard lock(mutex_);
    for (const Batch& batch : batches_) {
      if (batch.slot != nullptr) batch.slot->Terminate();
    }
  }

  void Push(Batch batch) {
    const std::lock_guard lock(mutex_);
    batches_.push_back(std::move(batch));
  }
  bool Pop(Batch& batch) {
    const std::lock_guard lock(mutex_);
    if (batches_.empty()) return false;
    batch = std::move(batches_.front());
    batches_.pop_front();
    return true;
  }
  Batch Front() {
    const std::lock_guard lock(mutex_);
    return batches_.empty() ? Batch{} : batches_.front();
  }

  OrtRunHandle any_shape;

 private:
  std::mutex mutex_;
  std::deque<Batch> batches_;  // guarded by mutex_
};

bool DeviceSession::healthy() const noexcept {
  return !context_.lost.load(std::memory_order_relaxed);
}

std::byte* DeviceSession::Allocate(size_t bytes) noexcept {
  return context_.pinned->Allocate(bytes);
}

void DeviceSession::Free(std::byte* memory, size_t bytes) noexcept {
  context_.pinned->Free(memory, bytes);
}

std::unique_ptr<RunHandle> DeviceSession::NewHandle() {
  auto handle = std::make_unique<Handle>(context_.api, context_.gate);
  // Recording is for buckets. A failure shows again at the first run.
  handle->any_shape.Configure("gpu_graph_id", "-1").ok();
  return handle;
}

size_t DeviceSession::BucketOf(std::span<const Part> parts) const {
  if (buckets_.empty() || parts.front().size() != signature().inputs.size()) return buckets_.size();
  return FindBucket(buckets_, ShapesOf(parts), batched_).value_or(buckets_.size());
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

Status DeviceSession::Begin(std::span<const Part> parts, RunHandle& handle) {
  auto& mine = static_cast<Handle&>(handle);
  if (!healthy()) return DeviceContext::LostStatus();
  const size_t bucket = BucketOf(parts);
  if (bucket == buckets_.size()) {
    Handle::Batch batch;
    MILLRACE_RETURN_IF_ERROR(RunAnyShape(parts, mine, batch.outputs));
    mine.Push(std::move(batch));
    return {};
  }
  const GatePass pass(context_.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  int64_t rows = plans_[bucket].rows;
  if (batched_) rows = ShapesOf(parts).front().dims[0];
  DeviceSlot* const slot = TakeSlot();
  const Status status = slot->Upload(parts, bucket, rows);
  if (!status.ok()) {
    GiveBack(slot);
    return status;
  }
  mine.Push({slot, nullptr});
  try {
    thread_->Post([slot] { slot->Launch(); });
  } catch (const std::bad_alloc&) {
    slot->Launch();
  }
  return {};
}

Status DeviceSession::Finish(RunHandle& handle, OutputRef& outputs) {
  auto& mine = static_cast<Handle&>(handle);
  Handle::Batch batch = mine.Front();
  if (batch.slot != nullptr) {
    // Exit waits for the device, but what has begun is finished even where exit did not let us in.
    const GatePass pass(context_.gate);
    const Status status = batch.slot->Await(outputs);
    mine.Pop(batch);
    GiveBack(batch.slot);
    return status;
  }
  if (!mine.Pop(batch)) return {Code::kFailedPrecondition, "No batch has begun"};
  outputs = std::move(batch.outputs);
  return {};
}

Status DeviceSession::Run(std::span<const TensorView> inputs, RunHandle& handle,
                          OutputRef& outputs) {
  const Part whole = inputs;
  MILLRACE_RETURN_IF_ERROR(Begin({&whole, 1}, handle));
  return Finish(handle, outputs);
}

Status DeviceSession::RunAnyShape(std::span<const Part> parts, Handle& handle,
                                  OutputRef& outputs) {
  if (provider_->builds_engines()) {
    return {Code::kInvalidArgument,
            "No bucket takes inputs of these shapes, and on this device others would build an engine "
            "first: send one of the declared shapes, or declare a bucket for these"};
  }
  const GatheredParts gathered(parts);
  Status status;
  thread_->Call([&] {
    try {
      status = session_->Run(gathered.views(), handle.any_shape, outputs);
      status = context_.Note(std::move(status));
    } catch (const std::bad_alloc&) {
      status = {Code::kResourceExhausted, "Out of memory: send fewer or smaller rows"};
    }
  });
  return status;
}

}  // namespace millrace
