// A device that runs one batch after another, when the test says so.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "batching/device_queue.h"
#include "batching/staged.h"
#include "support/executors.h"

namespace millrace::test {

// Takes batches in two steps. Begin copies at once; a run ends when the test calls Finish, one after
// another in the order in which they began.
class StagedPuppet final : public Executor, public StagedExecutor {
 public:
  StagedPuppet(const Clock& clock, size_t device_count = 1, size_t slots = 2)
      : clock_(clock), devices_(device_count), depth_(device_count * slots) {}
  ~StagedPuppet() override { Release(); }

  class Handle final : public RunHandle {
   public:
    void Terminate() noexcept override { terminations.fetch_add(1); }
    Nanos Started(Nanos asked) const noexcept override { return std::max(asked, place.since()); }
    DeviceQueue::Place place;
    std::atomic<int> terminations{0};
    size_t batch = 0;
  };

  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<Handle>(); }
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override {
    const Part whole = inputs;
    MILLRACE_RETURN_IF_ERROR(Begin({&whole, 1}, true, handle));
    return Finish(handle, outputs);
  }
  StagedExecutor* staged() noexcept override { return this; }
  size_t devices() const noexcept override { return devices_; }
  size_t depth() const noexcept override { return depth_; }
  std::shared_ptr<std::byte> Allocate(size_t) noexcept override { return nullptr; }

  Status Begin(std::span<const Part> parts, bool batched, RunHandle& handle) override {
    auto& mine = static_cast<Handle&>(handle);
    std::unique_lock lock(mutex_);
    begun_.push_back(Gather(parts));
    parts_.push_back(parts.size());
    batched_.push_back(batched);
    if (!refusal_.ok()) {
      changed_.notify_all();
      return refuse_once_ ? std::exchange(refusal_, {}) : refusal_;
    }
    mine.batch = begun_.size() - 1;
    queue_.Enter(mine.place, clock_.Now());
    most_ = std::max(most_, ++on_device_);
    changed_.notify_all();
    return {};
  }

  Status Finish(RunHandle& handle, OutputRef& outputs) noexcept override {
    auto& mine = static_cast<Handle&>(handle);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return released_ || mine.batch < finished_; });
    --on_device_;
    queue_.Leave(mine.place, clock_.Now());
    const std::vector<float>& values = begun_[mine.batch];
    const Status status = verdict_ != nullptr ? verdict_(values) : Status{};
    if (status.ok()) {
      auto block = std::make_shared<OwnedOutputs>();
      std::vector<float> doubled = values;
      for (float& value : doubled) value *= 2;
      block->Add(ElementType::kFloat32, MakeShape({static_cast<int64_t>(values.size()), 1}), doubled);
      outputs = std::move(block);
    }
    return status;
  }

  // The numbers of batch `index`, counted from 0; waits for it to begin.
  std::vector<float> Begun(size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_.size() > index; });
    return begun_[index];
  }
  size_t batches() const {
    const std::lock_guard lock(mutex_);
    return begun_.size();
  }
  // Parts of batch `index`.
  size_t PartsOf(size_t index) const {
    const std::lock_guard lock(mutex_);
    return parts_[index];
  }
  // Whether rows might be added to each batch.
  std::vector<bool> batched() const {
    const std::lock_guard lock(mutex_);
    return batched_;
  }
  // Most batches that had begun and not finished.
  size_t most() const {
    const std::lock_guard lock(mutex_);
    return most_;
  }

  // Lets the runs of the first `count` batches end.
  void FinishUpTo(size_t count) {
    const std::lock_guard lock(mutex_);
    finished_ = count;
    changed_.notify_all();
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  // What Begin says from now on, or the next time only.
  void Refuse(Status status, bool once = false) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(status);
    refuse_once_ = once;
  }
  // How a run with these numbers ends. Set before the first batch.
  void Judge(std::function<Status(const std::vector<float>&)> verdict) { verdict_ = std::move(verdict); }

 private:
  static std::vector<float> Gather(std::span<const Part> parts) {
    std::vector<float> all;
    for (const Part& part : parts) {
      const auto values = ValuesOf<float>(part[0]);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  const Clock& clock_;
  const size_t devices_;
  const size_t depth_;
  DeviceQueue queue_;
  std::function<Status(const std::vector<float>&)> verdict_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<float>> begun_;
  std::vector<size_t> parts_;
  std::vector<bool> batched_;
  size_t finished_ = 0;
  size_t on_device_ = 0;
  size_t most_ = 0;
  bool released_ = false;
  bool refuse_once_ = false;
  Status refusal_;
};

}  // namespace millrace::test
