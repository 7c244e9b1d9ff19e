// Executors that stand in for ONNX Runtime.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "batching/executor.h"
#include "support/requests.h"

namespace millrace::test {

// Outputs that own their memory.
class OwnedOutputs final : public OutputBlock {
 public:
  template <class T>
  void Add(ElementType type, const Shape& shape, const std::vector<T>& values) {
    std::vector<std::byte>& bytes = memory_.emplace_back(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    tensors.push_back({type, shape, bytes.data(), bytes.size(), nullptr});
  }

  void AddStrings(const Shape& shape, std::vector<std::string> values) {
    const auto& kept = strings_.emplace_back(std::move(values));
    tensors.push_back({ElementType::kString, shape, nullptr, 0, kept.data()});
  }

 private:
  std::deque<std::vector<std::byte>> memory_;
  std::deque<std::vector<std::string>> strings_;
};

// A handle that notes that its run is to be cut short.
class FakeHandle final : public RunHandle {
 public:
  void Terminate() noexcept override { terminated.store(true); }
  std::atomic<bool> terminated{false};
};

// Runs a function on the batch.
class FunctionExecutor final : public Executor {
 public:
  using Function = std::function<Status(std::span<const TensorView>, OwnedOutputs&)>;

  explicit FunctionExecutor(Function function) : function_(std::move(function)) {}

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle&, OutputRef& outputs) override {
    ++runs;
    auto block = std::make_shared<OwnedOutputs>();
    const Status status = function_(inputs, *block);
    if (status.ok()) outputs = std::move(block);
    return status;
  }

  size_t runs = 0;  // for tests with one worker

 private:
  const Function function_;
};

// The model of most tests: gives the numbers of input 0 back, doubled, in the same shape.
inline Status Double(std::span<const TensorView> inputs, OwnedOutputs& outputs) {
  auto values = ValuesOf<float>(inputs[0]);
  for (float& value : values) value *= 2;
  outputs.Add(ElementType::kFloat32, inputs[0].shape, values);
  return {};
}

// Runs when the test says so: every run blocks until Finish, so that a test sees exactly what
// happens while workers are busy.
class Puppet final : public Executor {
 public:
  // Ends the runs that a failed test has left behind.
  ~Puppet() override { Release(); }

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<FakeHandle>(); }

  Status Run(std::span<const TensorView> inputs, RunHandle&, OutputRef& outputs) override {
    std::unique_lock lock(mutex_);
    started_.push_back(ValuesOf<float>(inputs[0]));
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_ || allowed_ > 0; });
    if (!released_) --allowed_;
    const Status status = next_;
    next_ = {};
    if (!status.ok()) return status;
    auto block = std::make_shared<OwnedOutputs>();
    const Status doubled = Double(inputs, *block);
    outputs = std::move(block);
    return doubled;
  }

  // The numbers of the batch that run `index`, counted from 0, was given; waits for it to start.
  std::vector<float> Started(size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_.size() > index; });
    return started_[index];
  }

  size_t runs() const {
    const std::lock_guard lock(mutex_);
    return started_.size();
  }

  // Lets one run end.
  void Finish(Status status = {}) {
    const std::lock_guard lock(mutex_);
    ++allowed_;
    next_ = std::move(status);
    changed_.notify_all();
  }

  // Lets every run end at once from now on.
  void Release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<float>> started_;  // guarded by mutex_
  int allowed_ = 0;                          // guarded by mutex_
  bool released_ = false;                    // guarded by mutex_
  Status next_;                              // guarded by mutex_
};

}  // namespace millrace::test
