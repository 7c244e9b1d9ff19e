// What a slot does once, at load: memory, bindings, and the runs that warm it.
#include <algorithm>
#include <cstring>

#include "ort/device_slot.h"
#include "ort/values.h"

namespace millrace {
namespace {

template <class T>
void FillOnes(std::byte* target, size_t bytes, T one) {
  for (size_t at = 0; at + sizeof(T) <= bytes; at += sizeof(T)) {
    std::memcpy(target + at, &one, sizeof(T));
  }
}

void FillOnes(ElementType type, std::byte* target, size_t bytes) {
  switch (type) {
    case ElementType::kFloat32:
      return FillOnes(target, bytes, 1.0F);
    case ElementType::kFloat64:
      return FillOnes(target, bytes, 1.0);
    case ElementType::kFloat16:
      return FillOnes(target, bytes, uint16_t{0x3c00});
    case ElementType::kBfloat16:
      return FillOnes(target, bytes, uint16_t{0x3f80});
    default:
      break;
  }
  switch (ElementSize(type)) {
    case 2:
      return FillOnes(target, bytes, uint16_t{1});
    case 4:
      return FillOnes(target, bytes, uint32_t{1});
    case 8:
      return FillOnes(target, bytes, uint64_t{1});
    default:
      return FillOnes(target, bytes, uint8_t{1});
  }
}

}  // namespace

Status DeviceSlot::Allocate(size_t bytes, CudaMemoryPtr& memory) {
  // ONNX Runtime refuses a null pointer even for 0 bytes.
  return MakeMemory(context_.cuda, std::max<size_t>(bytes, 1), memory);
}

Status DeviceSlot::AllocateInputs() {
  for (size_t i = 0; i < session_.signature->inputs.size(); ++i) {
    size_t bytes = 1;
    for (const DeviceShapePlan& plan : plans_) bytes = std::max(bytes, plan.input_bytes[i]);
    MILLRACE_RETURN_IF_ERROR(Allocate(bytes, inputs_.emplace_back()));
    if (staging_.emplace_back(context_.pinned, bytes).data() == nullptr) {
      return {Code::kResourceExhausted, "Out of pinned memory for the inputs: use smaller shapes"};
    }
  }
  for (CudaEventPtr* event : {&copied_, &computed_, &done_}) {
    MILLRACE_RETURN_IF_ERROR(MakeEvent(context_.cuda, *event));
  }
  OrtMemoryInfo* cpu = nullptr;
  MILLRACE_ORT(context_.api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu),
               Code::kInternal);
  cpu_ = OrtMemoryInfoPtr(cpu, {&context_.api});
  bindings_.resize(plans_.size());
  for (size_t shape = 0; shape < plans_.size(); ++shape) {
    MILLRACE_RETURN_IF_ERROR(MakeInputs(shape));
    MILLRACE_RETURN_IF_ERROR(MakeBinding(bindings_[shape].dynamic_outputs));
    MILLRACE_RETURN_IF_ERROR(MakeRun(true, false, shape, bindings_[shape].dynamic_run));
  }
  return {};
}

Status DeviceSlot::AllocateOutputs() {
  for (size_t i = 0; i < session_.signature->outputs.size(); ++i) {
    size_t bytes = 1;
    for (const DeviceShapePlan& plan : plans_) {
      if (plan.static_outputs) bytes = std::max(bytes, plan.outputs[i].bytes);
    }
    MILLRACE_RETURN_IF_ERROR(Allocate(bytes, outputs_.emplace_back()));
  }
  for (size_t shape = 0; shape < plans_.size(); ++shape) {
    if (plans_[shape].static_outputs) MILLRACE_RETURN_IF_ERROR(BindStaticOutputs(shape));
  }
  return {};
}

Status DeviceSlot::MakeRun(bool synchronous, bool graph, size_t shape,
                           std::unique_ptr<OrtRunHandle>& run) {
  run = std::make_unique<OrtRunHandle>(context_.api, context_.gate);
  if (!synchronous) {
    MILLRACE_RETURN_IF_ERROR(run->Configure("disable_synchronize_execution_providers", "1"));
  }
  // The ids are from a closed set, since a recorded graph is never freed. -1 means that no graph is recorded.
  const std::string id = graph ? std::to_string(number_ * plans_.size() + shape + 1) : "-1";
  return run->Configure("gpu_graph_id", id);
}

Status DeviceSlot::MakeInputs(size_t shape) {
  const DeviceShapePlan& plan = plans_[shape];
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const TensorView view{session_.signature->inputs[i].type, plan.inputs[i],
                          static_cast<std::byte*>(inputs_[i].get()), plan.input_bytes[i], nullptr};
    MILLRACE_RETURN_IF_ERROR(MakeTensor(context_.api, context_.memory.get(), view,
                                        bindings_[shape].inputs.emplace_back()));
  }
  return {};
}

Status DeviceSlot::MakeBinding(OrtIoBindingPtr& binding) {
  OrtIoBinding* raw = nullptr;
  MILLRACE_ORT(context_.api, CreateIoBinding(session_.raw, &raw), Code::kInternal);
  binding = OrtIoBindingPtr(raw, {&context_.api});
  return {};
}

Status DeviceSlot::BindInputs(size_t shape, OrtIoBinding* target) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    MILLRACE_ORT(context_.api,
                 BindInput(target, session_.signature->inputs[i].name.c_str(),
                           bindings_[shape].inputs[i].get()),
                 Code::kInternal);
  }
  return {};
}

Status DeviceSlot::BindStaticOutputs(size_t shape) {
  const OrtApi& api = context_.api;
  Binding& binding = bindings_[shape];
  MILLRACE_RETURN_IF_ERROR(MakeBinding(binding.static_outputs));
  MILLRACE_RETURN_IF_ERROR(BindInputs(shape, binding.static_outputs.get()));
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const DeviceShapePlan::Output& output = plans_[shape].outputs[i];
    const TensorView view{output.type, output.shape, static_cast<std::byte*>(outputs_[i].get()),
                          output.bytes, nullptr};
    OrtValuePtr& value = binding.outputs.emplace_back();
    MILLRACE_RETURN_IF_ERROR(MakeTensor(api, context_.memory.get(), view, value));
    MILLRACE_ORT(api,
                 BindOutput(binding.static_outputs.get(), session_.signature->outputs[i].name.c_str(),
                            value.get()),
                 Code::kInternal);
  }
  return ResetOptions(shape);
}

Status DeviceSlot::ResetOptions(size_t shape) {
  return MakeRun(context_.compute == nullptr, plans_[shape].graph, shape,
                 bindings_[shape].static_run);
}

Status DeviceSlot::Fill(size_t shape, int value) {
  const DeviceShapePlan& plan = plans_[shape];
  const CudaRuntime& cuda = context_.cuda;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    std::byte* const staging = staging_[i].data();
    const size_t bytes = plan.input_bytes[i];
    if (value == 0) {
      std::memset(staging, 0, bytes);
    } else {
      FillOnes(session_.signature->inputs[i].type, staging, bytes);
    }
    MILLRACE_RETURN_IF_ERROR(
        context_.Check(cuda.MemcpyAsync(inputs_[i].get(), staging, bytes, CudaCopy::kToDevice,
                                        context_.copy_in.get()),
                       "copy the inputs to the GPU"));
  }
  return context_.Check(cuda.StreamSynchronize(context_.copy_in.get()), "copy the inputs to the GPU");
}

Status DeviceSlot::Probe(size_t shape, int value, std::vector<DeviceShapePlan::Output>& outputs) {
  shape_ = shape;
  MILLRACE_RETURN_IF_ERROR(Fill(shape, value));
  std::shared_ptr<OutputBlock> block;
  MILLRACE_RETURN_IF_ERROR(RunDynamicOutputs(block));
  outputs.clear();
  for (const TensorView& view : block->tensors) {
    outputs.push_back({view.type, view.shape, view.bytes});
  }
  return {};
}

Status DeviceSlot::Warm(size_t shape) {
  // Without parts, the whole buffer is cleared.
  MILLRACE_RETURN_IF_ERROR(Upload({}, shape, plans_[shape].rows, 0));
  Launch();
  OutputRef ignored;
  return Await(ignored);
}

}  // namespace millrace
