#include "ort/device_slot.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "ort/copy_plan.h"
#include "ort/values.h"

namespace millrace {
namespace {

// Outputs that the device copied into the CPU's memory.
class PinnedOutputs final : public OutputBlock {
 public:
  std::vector<PinnedBlock> blocks;
  // Memory for the outputs for which the pool had no block.
  std::vector<std::unique_ptr<std::byte[]>> pageable;
};

// Removes the rows that only filled up the device shape.
void CutRows(OutputBlock& block, int64_t shape_rows, int64_t rows) {
  if (rows == shape_rows) return;
  for (TensorView& view : block.tensors) {
    if (view.shape.rank == 0 || view.shape.dims[0] != shape_rows) continue;
    view.shape.dims[0] = rows;
    view.bytes = view.bytes / static_cast<size_t>(shape_rows) * static_cast<size_t>(rows);
  }
}

// Returns whether a run with static outputs may have failed because an output has another shape than at load. It does
// not check the message, which differs between versions of ONNX Runtime.
bool MayHaveOtherShapes(const Status& status) {
  return status.code() != Code::kDeadlineExceeded && status.code() != Code::kUnavailable;
}

bool HasShapes(const OutputBlock& block, const std::vector<DeviceShapePlan::Output>& outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!(block.tensors[i].shape == outputs[i].shape)) return false;
  }
  return true;
}

}  // namespace

DeviceSlot::DeviceSlot(DeviceContext& context, const SlotSession& session,
                       std::deque<DeviceShapePlan>& plans, size_t number)
    : context_(context), session_(session), plans_(plans), number_(number) {}

DeviceSlot::~DeviceSlot() = default;

Status DeviceSlot::Upload(std::span<const Part> parts, size_t shape, int64_t rows,
                          uint64_t batch) noexcept {
  shape_ = shape;
  rows_ = rows;
  block_.reset();
  queued_ = false;
  {
    const std::lock_guard lock(mutex_);
    batch_ = batch;
    is_launched_ = false;
    launch_ = {};
  }
  Status status;
  try {
    status = CopyInputs(parts, plans_[shape]);
  } catch (...) {
    status = Caught();
  }
  // The parts go back to their owner on failure, so nothing may read them any more.
  if (!status.ok()) {
    static_cast<void>(context_.cuda.StreamSynchronize(context_.copy_in.get()));
  }
  return status;
}

Status DeviceSlot::CopyInputs(std::span<const Part> parts, const DeviceShapePlan& plan) {
  MILLRACE_RETURN_IF_ERROR(
      context_.Check(UseDevice(context_.cuda, context_.index), "select the GPU"));
  for (size_t i = 0; i < plan.input_bytes.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(CopyInput(parts, i, plan.input_bytes[i]));
  }
  return context_.Check(context_.cuda.EventRecord(copied_.get(), context_.copy_in.get()),
                        "order the copies to the GPU");
}

Status DeviceSlot::CopyInput(std::span<const Part> parts, size_t input, size_t capacity) {
  const auto pinned = [this](const TensorView& view) {
    return context_.pinned->Contains(view.data, view.bytes);
  };
  auto* const target = static_cast<std::byte*>(inputs_[input].get());
  std::byte* const staging = staging_[input].data();
  const CudaRuntime& cuda = context_.cuda;
  for (const CopyStep& step : PlanCopies(parts, input, capacity, pinned)) {
    CudaError error = 0;
    switch (step.kind) {
      case CopyStep::Kind::kGather:
        std::memcpy(staging + step.offset, step.source, step.bytes);
        break;
      case CopyStep::Kind::kUpload:
        error = cuda.MemcpyAsync(target + step.offset,
                                 step.source != nullptr ? step.source : staging + step.offset,
                                 step.bytes, CudaCopy::kToDevice, context_.copy_in.get());
        break;
      case CopyStep::Kind::kClear:
        error = cuda.MemsetAsync(target + step.offset, 0, step.bytes, context_.copy_in.get());
        break;
    }
    MILLRACE_RETURN_IF_ERROR(context_.Check(error, "copy the inputs to the GPU"));
  }
  return {};
}

void DeviceSlot::Launch() noexcept {
  Status status;
  try {
    status = Run();
  } catch (...) {
    status = Caught();
  }
  Settle(std::move(status));
}

void DeviceSlot::Settle(Status status) noexcept {
  const std::lock_guard lock(mutex_);
  launch_ = std::move(status);
  is_launched_ = true;
  launched_.notify_all();
}

Status DeviceSlot::Await(OutputRef& outputs) noexcept {
  static_cast<void>(UseDevice(context_.cuda, context_.index));
  Status status;
  {
    std::unique_lock lock(mutex_);
    launched_.wait(lock, [this] { return is_launched_; });
    status = std::move(launch_);
  }
  if (status.ok() && queued_) status = AwaitOutputs();
  if (status.ok()) {
    outputs = std::move(block_);
  } else {
    // The parts go back to their owners, and the memory for the outputs to the pool, so no copy may use them any more.
    static_cast<void>(context_.cuda.EventSynchronize(copied_.get()));
    if (queued_) static_cast<void>(context_.cuda.StreamSynchronize(context_.copy_out.get()));
  }
  block_.reset();
  return status;
}

Status DeviceSlot::AwaitOutputs() noexcept {
  try {
    return context_.Check(context_.cuda.EventSynchronize(done_.get()), "finish a run");
  } catch (...) {
    return Caught();
  }
}

void DeviceSlot::Terminate(uint64_t batch) noexcept {
  // The mutex is held, so that this run cannot end and the next one begin before the run is terminated.
  const std::lock_guard lock(mutex_);
  if (batch == batch_ && running_ != nullptr) running_->Terminate();
}

Status DeviceSlot::Run() {
  const GatePass pass(context_.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  const CudaRuntime& cuda = context_.cuda;
  MILLRACE_RETURN_IF_ERROR(context_.Check(UseDevice(cuda, context_.index), "select the GPU"));
  // Without a stream of our own the run cannot be made to wait for the copies, so this thread waits for them first.
  const CudaError ordered =
      context_.compute != nullptr
          ? cuda.StreamWaitEvent(context_.compute.get(), copied_.get(), 0)
          : cuda.EventSynchronize(copied_.get());
  MILLRACE_RETURN_IF_ERROR(context_.Check(ordered, "order the copies to the GPU"));

  DeviceShapePlan& plan = plans_[shape_];
  const bool is_static = plan.static_outputs.load(std::memory_order_relaxed);
  if (is_static) {
    const Binding& binding = bindings_[shape_];
    const Status status = RunBound(binding.static_outputs.get(), *binding.static_run);
    if (status.ok()) return FinishStaticOutputs();
    if (!MayHaveOtherShapes(status)) return status;
  }
  MILLRACE_RETURN_IF_ERROR(RunDynamicOutputs(block_));
  if (is_static && !HasShapes(*block_, plan.outputs)) {
    plan.static_outputs.store(false, std::memory_order_relaxed);
  }
  if (session_.batched) CutRows(*block_, plan.rows, rows_);
  return {};
}

Status DeviceSlot::RunBound(OrtIoBinding* binding, OrtRunHandle& run) {
  if (session_.binds_each_run) {
    // When an input that the CPU reads is bound, ONNX Runtime copies it at once, and does not wait for our stream.
    MILLRACE_RETURN_IF_ERROR(context_.Check(context_.cuda.EventSynchronize(copied_.get()),
                                            "order the copies to the GPU"));
    MILLRACE_RETURN_IF_ERROR(BindInputs(shape_, binding));
  }
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_RETURN_IF_ERROR(run.Begin());
    running_ = &run;
  }
  const Status status = FromRun(
      context_.api, context_.api.RunWithBinding(session_.raw, run.options(), binding));
  {
    const std::lock_guard lock(mutex_);
    running_ = nullptr;
  }
  return context_.Note(run.Explain(status));
}

Status DeviceSlot::FinishStaticOutputs() {
  Status status;
  try {
    status = QueueOutputs();
  } catch (...) {
    status = Caught();
  }
  // The copies that were queued write to memory that goes back to the pool now, so they have to end first.
  if (!status.ok()) {
    static_cast<void>(context_.cuda.StreamSynchronize(context_.copy_out.get()));
    block_.reset();
  }
  return status;
}

// Queues the copies of the outputs. They start as soon as the run is over, on a stream of their own, so that the next
// run can start at the same time.
Status DeviceSlot::QueueOutputs() {
  const CudaRuntime& cuda = context_.cuda;
  const DeviceShapePlan& plan = plans_[shape_];
  const CudaStream out = context_.copy_out.get();
  if (context_.compute != nullptr) {
    MILLRACE_RETURN_IF_ERROR(context_.Check(
        cuda.EventRecord(computed_.get(), context_.compute.get()), "order the copies from the GPU"));
    MILLRACE_RETURN_IF_ERROR(context_.Check(cuda.StreamWaitEvent(out, computed_.get(), 0),
                                            "order the copies from the GPU"));
  }
  auto block = std::make_shared<PinnedOutputs>();
  block_ = block;
  for (const DeviceShapePlan::Output& output : plan.outputs) {
    block->tensors.push_back({output.type, output.shape, nullptr, output.bytes, nullptr});
  }
  if (session_.batched) CutRows(*block, plan.rows, rows_);
  for (size_t i = 0; i < block->tensors.size(); ++i) {
    TensorView& view = block->tensors[i];
    if (view.bytes == 0) continue;
    std::byte* target = block->blocks.emplace_back(context_.pinned, view.bytes).data();
    if (target == nullptr) {
      // A copy to pageable memory is slower, since it is not made in the background.
      block->pageable.push_back(std::make_unique_for_overwrite<std::byte[]>(view.bytes));
      target = block->pageable.back().get();
    }
    view.data = target;
    MILLRACE_RETURN_IF_ERROR(context_.Check(
        cuda.MemcpyAsync(target, outputs_[i].get(), view.bytes, CudaCopy::kToHost, out),
        "copy the outputs from the GPU"));
  }
  MILLRACE_RETURN_IF_ERROR(
      context_.Check(cuda.EventRecord(done_.get(), out), "order the copies from the GPU"));
  queued_ = true;
  return {};
}

Status DeviceSlot::RunDynamicOutputs(std::shared_ptr<OutputBlock>& block) {
  const OrtApi& api = context_.api;
  const Binding& binding = bindings_[shape_];
  OrtIoBinding* const bound = binding.dynamic_outputs.get();
  // Inputs and outputs are bound anew in each run. ONNX Runtime would write again to outputs that stay bound, even if a
  // request still holds them, and it copies inputs that the CPU reads when they are bound.
  MILLRACE_RETURN_IF_ERROR(context_.Check(context_.cuda.EventSynchronize(copied_.get()),
                                          "order the copies to the GPU"));
  MILLRACE_RETURN_IF_ERROR(BindInputs(shape_, bound));
  api.ClearBoundOutputs(bound);
  for (const TensorSpec& spec : session_.signature->outputs) {
    MILLRACE_ORT(api, BindOutputToDevice(bound, spec.name.c_str(), cpu_.get()), Code::kInternal);
  }
  const Status status = RunBound(bound, *binding.dynamic_run);
  if (!status.ok()) {
    api.ClearBoundOutputs(bound);
    return status;
  }
  MILLRACE_ORT(api, SynchronizeBoundOutputs(bound), Code::kInternal);
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  OrtValue** raw = nullptr;
  size_t count = 0;
  MILLRACE_ORT(api, GetBoundOutputValues(bound, allocator, &raw, &count), Code::kInternal);
  std::vector<OrtValuePtr> values;
  for (size_t i = 0; i < count; ++i) values.emplace_back(raw[i], OrtValuePtr::deleter_type{&api});
  MILLRACE_ORT(api, AllocatorFree(allocator, raw), Code::kInternal);
  api.ClearBoundOutputs(bound);
  return MakeOutputs(api, std::move(values), block);
}

}  // namespace millrace
