// ONNX Runtime as it is on a GPU: runs are work on a stream, on memory that the CPU cannot reach.
#pragma once

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ort/api.h"
#include "support/fake_cuda.h"

namespace millrace::test {

// The CPU runs the nodes, on the bytes that addresses of the fake device stand for. A run begins once its stream has
// done what is queued on it. Its status is there at once, but what it writes to the device arrives as work of the
// stream, unless ONNX Runtime is told to wait for the device at the end of the run, as it is by default.
//
// There is one, since functions of a table have no object.
class FakeGpu {
 public:
  // `library` with functions of ONNX Runtime replaced. The first library that is given is the one that is used.
  static const OrtLibrary& Library(const OrtLibrary& library) {
    static const OrtApi api = MakeApi(*library.api);
    static const OrtLibrary replaced = [&library] {
      OrtLibrary copy = library;
      copy.api = &api;
      return copy;
    }();
    return replaced;
  }

  // Sessions that the calling thread makes and runs from now on use this stream; null: one that nobody else sees.
  static void UseStream(CudaStream stream) { Stream() = stream; }

 private:
  // Bytes of an output on the device.
  struct Range {
    std::byte* data = nullptr;
    size_t bytes = 0;
  };

  static FakeGpu& Get() {
    static FakeGpu gpu;
    return gpu;
  }
  static CudaStream& Stream() {
    thread_local CudaStream stream = nullptr;
    return stream;
  }

  static OrtApi MakeApi(const OrtApi& api) {
    Get().real_ = &api;
    OrtApi replaced = api;
    replaced.CreateTensorWithDataAsOrtValue =
        [](const OrtMemoryInfo* info, void* data, size_t bytes, const int64_t* dims, size_t rank,
           ONNXTensorElementDataType type, OrtValue** value) noexcept -> OrtStatus* {
      std::byte* const host = FakeCuda::Get().HostOf(data);
      OrtStatus* const status = Get().real_->CreateTensorWithDataAsOrtValue(
          info, host != nullptr ? host : data, bytes, dims, rank, type, value);
      if (status == nullptr && host != nullptr) Get().Note(*value, {host, bytes});
      return status;
    };
    replaced.ReleaseValue = [](OrtValue* value) noexcept {
      Get().Forget(value);
      Get().real_->ReleaseValue(value);
    };
    replaced.BindOutput = [](OrtIoBinding* binding, const char* name,
                             const OrtValue* value) noexcept -> OrtStatus* {
      Get().NoteOutput(binding, name, value);
      return Get().real_->BindOutput(binding, name, value);
    };
    replaced.ReleaseIoBinding = [](OrtIoBinding* binding) noexcept {
      Get().Forget(binding);
      Get().real_->ReleaseIoBinding(binding);
    };
    replaced.AddRunConfigEntry = [](OrtRunOptions* options, const char* key,
                                    const char* value) noexcept -> OrtStatus* {
      const bool late = std::strcmp(key, "disable_synchronize_execution_providers") == 0;
      if (late && std::strcmp(value, "1") == 0) Get().NoteLate(options);
      return Get().real_->AddRunConfigEntry(options, key, value);
    };
    replaced.ReleaseRunOptions = [](OrtRunOptions* options) noexcept {
      Get().Forget(options);
      Get().real_->ReleaseRunOptions(options);
    };
    replaced.RunWithBinding = [](OrtSession* session, const OrtRunOptions* options,
                                 const OrtIoBinding* binding) noexcept -> OrtStatus* {
      return Get().Run(session, options, binding);
    };
    return replaced;
  }

  void Note(const OrtValue* value, Range range) {
    const std::lock_guard lock(mutex_);
    values_[value] = range;
  }
  void NoteOutput(const OrtIoBinding* binding, const char* name, const OrtValue* value) {
    const std::lock_guard lock(mutex_);
    outputs_[binding].erase(name);
    if (const auto found = values_.find(value); found != values_.end()) {
      outputs_[binding][name] = found->second;
    }
  }
  void NoteLate(const OrtRunOptions* options) {
    const std::lock_guard lock(mutex_);
    late_.insert(options);
  }
  void Forget(const OrtValue* value) {
    const std::lock_guard lock(mutex_);
    values_.erase(value);
  }
  void Forget(const OrtIoBinding* binding) {
    const std::lock_guard lock(mutex_);
    outputs_.erase(binding);
  }
  void Forget(const OrtRunOptions* options) {
    const std::lock_guard lock(mutex_);
    late_.erase(options);
  }
  // What a run writes to only later.
  std::vector<Range> LateOutputs(const OrtRunOptions* options, const OrtIoBinding* binding) {
    const std::lock_guard lock(mutex_);
    const auto found = outputs_.find(binding);
    if (Stream() == nullptr || !late_.contains(options) || found == outputs_.end()) return {};
    std::vector<Range> ranges;
    for (const auto& [name, range] : found->second) ranges.push_back(range);
    return ranges;
  }

  OrtStatus* Run(OrtSession* session, const OrtRunOptions* options, const OrtIoBinding* binding) {
    // The stream of a model that is gone, so that this one is on the CPU.
    if (!FakeCuda::Get().HasStream(Stream())) UseStream(nullptr);
    if (Stream() != nullptr) FakeCuda::Get().CatchUp(Stream());
    const std::vector<Range> outputs = LateOutputs(options, binding);
    std::vector<std::vector<std::byte>> before;
    for (const Range& range : outputs) before.emplace_back(range.data, range.data + range.bytes);
    OrtStatus* const status = real_->RunWithBinding(session, options, binding);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Range& range = outputs[i];
      std::vector<std::byte> after(range.data, range.data + range.bytes);
      std::memcpy(range.data, before[i].data(), range.bytes);
      FakeCuda::Get().Queue(Stream(), [range, after = std::move(after)] {
        std::memcpy(range.data, after.data(), range.bytes);
      });
    }
    return status;
  }

  const OrtApi* real_ = nullptr;
  std::mutex mutex_;
  std::map<const OrtValue*, Range> values_;                         // guarded by mutex_
  std::map<const OrtIoBinding*, std::map<std::string, Range>> outputs_;  // guarded by mutex_
  std::set<const OrtRunOptions*> late_;                             // guarded by mutex_
};

}  // namespace millrace::test
