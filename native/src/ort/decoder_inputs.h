// The small tensors that a step of a decoder needs in the CPU's memory, and a graph with what is bound to it.
#pragma once

#include <cstddef>
#include <vector>

#include "ort/run_handle.h"
#include "ort/session.h"

namespace millrace {

// A tensor of whole numbers, or of bools, of which the memory is used again in each step.
class IndexTensor {
 public:
  // Changes the shape. Elements keep their values as far as the memory is the same.
  Status Resize(const OrtApi& api, const OrtMemoryInfo* cpu, ElementType type, const Shape& shape);
  void Set(size_t element, int64_t value) noexcept;
  // Sets all elements to 1, in no time if they are.
  void SetOnes() noexcept;

  const OrtValue* value() const noexcept { return value_.get(); }
  size_t bytes() const noexcept { return count_ * ElementSize(type_); }

 private:
  ElementType type_ = ElementType::kUndefined;
  Shape shape_;
  size_t count_ = 0;
  // How many elements at the beginning are known to be 1.
  size_t ones_ = 0;
  std::vector<std::byte> memory_;
  OrtValuePtr value_;
};

// A graph of a session with its bindings, which stay from run to run until they are replaced.
class BoundGraph {
 public:
  Status Open(const OrtApi& api, const Session& session);

  // Binds a tensor. A graph without the input or output ignores it.
  Status Input(const TensorSpec* spec, const OrtValue* value);
  Status Output(const TensorSpec* spec, const OrtValue* value);
  Status Inputs(std::span<const TensorSpec* const> specs, std::span<const OrtValuePtr> values);
  Status Outputs(std::span<const TensorSpec* const> specs, std::span<const OrtValuePtr> values);

  Status Run(OrtRunHandle& handle);

  // Leaves the binding to the operating system, because the process is exiting.
  void Abandon() noexcept { static_cast<void>(binding_.release()); }

 private:
  const OrtApi* api_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtIoBindingPtr binding_;
};

}  // namespace millrace
