#include "addon/core.h"

#include <algorithm>
#include <new>

#include "addon/cores.h"
#include "addon/start_thread.h"

namespace millrace {

Core::Core(const OrtLibrary& ort, uint32_t js_threads)
    : library(ort), cores_(BudgetOf(UsableCores(), js_threads)) {}

DeviceShare& Core::ShareOf(const std::string& device) {
  // CUDA and TensorRT share the same GPU.
  const size_t colon = device.find(':');
  const std::string key = colon == std::string::npos ? device : "gpu" + device.substr(colon);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<DeviceShare>& share = shares_[key];
  if (share == nullptr) {
    share = std::make_unique<DeviceShare>(colon == std::string::npos ? cores_.spare : 1);
  }
  return *share;
}

size_t CounterTable::Series(const std::string& key, std::span<const double> bounds) {
  const std::lock_guard lock(mutex_);
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  const size_t number = owned_.size();
  if (number == kMaxSeries) return kMaxSeries;
  owned_.push_back(std::make_unique<Histogram>(bounds));
  numbers_.emplace(key, number);
  // Pairs with the load in Find: a thread that sees the series also sees its content.
  series_[number].store(owned_.back().get(), std::memory_order_release);
  return number;
}

Histogram* CounterTable::Find(size_t series) const noexcept {
  return series < kMaxSeries ? series_[series].load(std::memory_order_acquire) : nullptr;
}

void CounterTable::Observe(size_t series, Nanos duration) noexcept {
  if (Histogram* const found = Find(series)) found->Observe(duration);
}

void CounterTable::Add(size_t series, int64_t amount) noexcept {
  if (Histogram* const found = Find(series)) found->Count(amount);
}

std::vector<std::pair<std::string, Histogram::Snapshot>> CounterTable::Read() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Histogram::Snapshot>> all;
  all.reserve(numbers_.size());
  for (const auto& [key, number] : numbers_) all.emplace_back(key, owned_[number]->Read());
  return all;
}

LoadSurroundings Core::Surroundings() {
  return {library, [this](const std::string& device) -> DeviceShare& { return ShareOf(device); },
          cores_};
}

Status Core::Load(const LoadRequest& request, std::shared_ptr<LoadedModel>& model) {
  return models_.Get(
      request.key,
      [&](std::shared_ptr<LoadedModel>& own) {
        return LoadedModel::Load(Surroundings(), request, own);
      },
      model);
}

Status Core::Load(const GeneratorLoadRequest& request, std::shared_ptr<LoadedGenerator>& model) {
  return generators_.Get(
      request.key,
      [&](std::shared_ptr<LoadedGenerator>& own) {
        return LoadedGenerator::Load(Surroundings(), request, own);
      },
      model);
}

void Core::Retire(std::shared_ptr<void> model, std::function<void()> done) noexcept {
  struct Work {
    std::shared_ptr<void> model;
    std::function<void()> done;
    void Do() {
      model.reset();
      if (done) done();
    }
  };
  try {
    // `work` is allocated before the model moves into it, and is shared with the thread, so that the model still exists
    // if the allocation fails or the thread cannot be started.
    const auto work = std::make_shared<Work>();
    work->model = std::move(model);
    work->done = std::move(done);
    if (!StartThread([work] { work->Do(); })) work->Do();
  } catch (const std::bad_alloc&) {
    // There is no memory to start a thread, so the model is freed on this one, which blocks it for long.
    model.reset();
    if (done) done();
  }
}

Status OpenCore(const std::string& path, uint32_t js_threads, Core*& core) {
  static std::mutex mutex;
  static Core* opened = nullptr;  // never freed
  const OrtLibrary* library = nullptr;
  MILLRACE_RETURN_IF_ERROR(OpenOrtLibrary(path, library));
  const std::lock_guard lock(mutex);
  if (opened == nullptr) opened = new Core(*library, js_threads);
  core = opened;
  return {};
}

}  // namespace millrace
