#include "addon/core.h"

#include <algorithm>
#include <thread>

#include "addon/cores.h"
#include "batching/hand_off.h"

namespace millrace {

namespace {

// Where the event loop is too busy to say how long it takes to wake it, or was awake when it was asked.
constexpr Nanos kUsualLoopWake = 20'000;
constexpr Nanos kAwake = 10'000;
// What a hand-off may cost: less is not worth the risk, more is a machine that was busy meanwhile.
constexpr Nanos kLeastHandOff = 5'000;
constexpr Nanos kMostHandOff = 200'000;

}  // namespace

Core::Core(const OrtLibrary& ort, uint32_t js_threads)
    : library(ort), worker_cores_(WorkerCores(UsableCores(), js_threads)) {}

DeviceShare& Core::ShareOf(const std::string& device) {
  // CUDA and TensorRT are two ways to the same GPU.
  const size_t colon = device.find(':');
  const std::string key = colon == std::string::npos ? device : "gpu" + device.substr(colon);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<DeviceShare>& share = shares_[key];
  if (share == nullptr) {
    share = std::make_unique<DeviceShare>(colon == std::string::npos ? worker_cores_ : 1);
  }
  return *share;
}

Nanos Core::HandOff(const std::function<Nanos()>& wake_js) {
  const std::lock_guard lock(measuring_);
  if (hand_off_.load(std::memory_order_relaxed) == 0) {
    const Nanos loop = wake_js();
    const bool slept = loop != kNever && loop >= kAwake;
    const Nanos sum = MeasureWake(SteadyClock()) + (slept ? loop : kUsualLoopWake);
    hand_off_.store(std::clamp(sum, kLeastHandOff, kMostHandOff), std::memory_order_relaxed);
  }
  return hand_off_.load(std::memory_order_relaxed);
}

size_t CounterTable::Series(const std::string& key, std::span<const double> bounds) {
  const std::lock_guard lock(mutex_);
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  const size_t number = series_.Append(std::make_unique<Histogram>(bounds));
  if (number != kMaxSeries) numbers_.emplace(key, number);
  return number;
}

void CounterTable::Observe(size_t series, Nanos duration) noexcept {
  if (Histogram* const found = series_.Find(series)) found->Observe(duration);
}

void CounterTable::Add(size_t series, int64_t amount) noexcept {
  if (Histogram* const found = series_.Find(series)) found->Count(amount);
}

std::vector<std::pair<std::string, Histogram::Snapshot>> CounterTable::Read() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Histogram::Snapshot>> all;
  all.reserve(numbers_.size());
  for (const auto& [key, number] : numbers_) all.emplace_back(key, series_.Find(number)->Read());
  return all;
}

Status Core::Load(const LoadRequest& request, std::shared_ptr<LoadedModel>& model) {
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const auto& item) {
      // An entry that is locked is being loaded.
      const std::unique_lock unused(item.second->loading, std::try_to_lock);
      return unused && item.second.use_count() == 1 && item.second->model.expired();
    });
    std::shared_ptr<Entry>& known = entries_[request.key];
    if (known == nullptr) known = std::make_shared<Entry>();
    entry = known;
  }
  const std::lock_guard lock(entry->loading);
  model = entry->model.lock();
  if (model != nullptr) return {};
  const LoadedModel::Surroundings surroundings{
      library, [this](const std::string& device) -> DeviceShare& { return ShareOf(device); },
      worker_cores_, hand_off_.load(std::memory_order_relaxed)};
  MILLRACE_RETURN_IF_ERROR(LoadedModel::Load(surroundings, request, model));
  entry->model = model;
  return {};
}

void Core::Retire(std::shared_ptr<LoadedModel> model, std::function<void()> done) {
  std::thread([model = std::move(model), done = std::move(done)]() mutable {
    model.reset();
    if (done) done();
  }).detach();
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
