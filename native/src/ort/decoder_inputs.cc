#include "ort/decoder_inputs.h"

#include <algorithm>
#include <cstring>

#include "ort/values.h"

namespace millrace {

Status IndexTensor::Resize(const OrtApi& api, const OrtMemoryInfo* cpu, ElementType type, const Shape& shape) {
  if (value_ != nullptr && type == type_ && shape == shape_) return {};
  const auto count = static_cast<size_t>(shape.Elements().value_or(0));
  if (type != type_) ones_ = 0;
  const size_t bytes = count * ElementSize(type);
  // A mask grows in each step.
  if (bytes > memory_.size()) memory_.resize(std::max(bytes, 2 * memory_.size()));
  value_.reset();
  MILLRACE_RETURN_IF_ERROR(MakeTensor(api, cpu, {type, shape, memory_.data(), bytes, nullptr}, value_));
  type_ = type;
  shape_ = shape;
  count_ = count;
  return {};
}

void IndexTensor::Set(size_t element, int64_t value) noexcept {
  std::byte* const target = memory_.data() + element * ElementSize(type_);
  if (value != 1) ones_ = std::min(ones_, element);
  if (type_ == ElementType::kInt64) {
    std::memcpy(target, &value, sizeof value);
  } else if (type_ == ElementType::kInt32) {
    const auto narrow = static_cast<int32_t>(value);
    std::memcpy(target, &narrow, sizeof narrow);
  } else {
    *target = static_cast<std::byte>(value != 0);
  }
}

void IndexTensor::SetOnes() noexcept {
  for (size_t i = ones_; i < count_; ++i) Set(i, 1);
  ones_ = std::max(ones_, count_);
}

Status BoundGraph::Open(const OrtApi& api, const Session& session) {
  api_ = &api;
  session_ = session.raw();
  OrtIoBinding* raw = nullptr;
  MILLRACE_ORT(api, CreateIoBinding(session_, &raw), Code::kInternal);
  binding_ = OrtIoBindingPtr(raw, {&api});
  return {};
}

Status BoundGraph::Input(const TensorSpec* spec, const OrtValue* value) {
  if (spec == nullptr) return {};
  return FromOrt(*api_, api_->BindInput(binding_.get(), spec->name.c_str(), value), Code::kInternal);
}

Status BoundGraph::Output(const TensorSpec* spec, const OrtValue* value) {
  if (spec == nullptr) return {};
  return FromOrt(*api_, api_->BindOutput(binding_.get(), spec->name.c_str(), value), Code::kInternal);
}

Status BoundGraph::Inputs(std::span<const TensorSpec* const> specs, std::span<const OrtValuePtr> values) {
  for (size_t i = 0; i < specs.size(); ++i) MILLRACE_RETURN_IF_ERROR(Input(specs[i], values[i].get()));
  return {};
}

Status BoundGraph::Outputs(std::span<const TensorSpec* const> specs, std::span<const OrtValuePtr> values) {
  for (size_t i = 0; i < specs.size(); ++i) MILLRACE_RETURN_IF_ERROR(Output(specs[i], values[i].get()));
  return {};
}

Status BoundGraph::Run(OrtRunHandle& handle) {
  MILLRACE_RETURN_IF_ERROR(handle.Begin());
  return handle.Explain(FromRun(*api_, api_->RunWithBinding(session_, handle.options(), binding_.get())));
}

}  // namespace millrace
