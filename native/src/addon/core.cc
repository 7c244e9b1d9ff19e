#include "addon/core.h"

#include <algorithm>
#include <thread>

namespace millrace {

namespace {

// Cores left for lanes once the JavaScript thread has one.
uint32_t LaneCores() { return std::max(std::thread::hardware_concurrency(), 2u) - 1; }

// Whether a run's length depends on its rows only.
bool SteadyCost(const Signature& signature, bool batched) {
  return std::ranges::all_of(signature.inputs, [batched](const TensorSpec& spec) {
    const auto from = spec.dims.begin() + (batched ? 1 : 0);
    return spec.type != ElementType::kString && std::find(from, spec.dims.end(), -1) == spec.dims.end();
  });
}

}  // namespace

Status LoadedModel::Load(const OrtLibrary& library, const LoadRequest& request, DeviceShare& share,
                         std::shared_ptr<LoadedModel>& model) {
  std::shared_ptr<LoadedModel> loading(new LoadedModel);
  SessionOptions session;
  session.path = request.path;
  session.bytes = request.bytes;
  session.intra_op_threads = request.intra_op_threads;
  MILLRACE_RETURN_IF_ERROR(Session::Load(library, session, loading->session_));
  const Signature& signature = loading->signature();
  if (signature.inputs.size() > kMaxTensors || signature.outputs.size() > kMaxTensors) {
    return {Code::kUnimplemented, "The model has more than 256 inputs or outputs"};
  }

  switch (request.batching) {
    case BatchingMode::kAuto:
      loading->batchability_ = ProbeBatching(signature, *loading->session_);
      break;
    case BatchingMode::kDeclared:
      loading->batchability_ = {true, ""};
      for (const auto* specs : {&signature.inputs, &signature.outputs}) {
        for (const TensorSpec& spec : *specs) {
          if (!spec.dims.empty() && spec.dims[0] == -1) continue;
          return {Code::kInvalidArgument,
                  "Batching was asked for, but dimension 0 of '" + spec.name +
                      "' is not dynamic: export the model with a dynamic batch dimension or load it "
                      "with batching: false"};
        }
      }
      break;
    case BatchingMode::kOff:
      loading->batchability_ = {false, "Batching was turned off when the model was loaded"};
      break;
  }

  BatcherOptions options;
  const bool batched = loading->batchability_.batched;
  options.pending.batched = batched;
  options.policy.kind = batched ? request.policy : PolicyKind::kBusy;
  options.policy.max_rows = batched ? request.max_rows : 1;
  options.policy.max_delay = request.max_delay;
  options.max_queue = request.max_queue;
  options.spin = request.spin;
  options.run_limit = request.run_limit;
  const bool at_once = options.policy.kind != PolicyKind::kTimer && SteadyCost(signature, batched);
  options.inline_limit = at_once ? request.inline_limit : 0;
  options.share = &share;
  options.weight = request.weight;
  const WarmupOptions warmup{batched, options.policy.max_rows, request.warmup};
  options.lanes = request.lanes != 0
                      ? request.lanes
                      : ChooseLanes(signature, *loading->session_, loading->clock_, warmup,
                                    LaneCores());
  loading->batcher_ = std::make_unique<Batcher>(*loading->session_, loading->clock_, options);
  CostModel& cost = loading->batcher_->cost();
  if (request.costs.empty()) {
    if (request.warmup > 0) WarmUp(signature, *loading->session_, loading->clock_, warmup, cost);
  } else {
    for (const CostModel::Point& point : request.costs) cost.Seed(point);
  }
  model = std::move(loading);
  return {};
}

Core::Core(const OrtLibrary& ort) : library(ort), cpu_(LaneCores()) {}

size_t CounterTable::Series(const std::string& key, std::span<const double> bounds) {
  const std::lock_guard lock(mutex_);
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  const size_t number = size_.load(std::memory_order_relaxed);
  if (number == kMaxSeries) return kMaxSeries;
  series_[number] = std::make_unique<Histogram>(bounds);
  numbers_.emplace(key, number);
  // release pairs with the acquire in Observe: whoever sees the number sees the histogram.
  size_.store(number + 1, std::memory_order_release);
  return number;
}

void CounterTable::Observe(size_t series, Nanos duration) noexcept {
  if (series < size_.load(std::memory_order_acquire)) series_[series]->Observe(duration);
}

std::vector<std::pair<std::string, Histogram::Snapshot>> CounterTable::Read() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Histogram::Snapshot>> all;
  all.reserve(numbers_.size());
  for (const auto& [key, number] : numbers_) all.emplace_back(key, series_[number]->Read());
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
  MILLRACE_RETURN_IF_ERROR(LoadedModel::Load(library, request, cpu_, model));
  entry->model = model;
  return {};
}

void Core::Retire(std::shared_ptr<LoadedModel> model, std::function<void()> done) {
  std::thread([model = std::move(model), done = std::move(done)]() mutable {
    model.reset();
    if (done) done();
  }).detach();
}

Status OpenCore(const std::string& path, Core*& core) {
  static std::mutex mutex;
  static Core* opened = nullptr;  // never freed
  const OrtLibrary* library = nullptr;
  MILLRACE_RETURN_IF_ERROR(OpenOrtLibrary(path, library));
  const std::lock_guard lock(mutex);
  if (opened == nullptr) opened = new Core(*library);
  core = opened;
  return {};
}

}  // namespace millrace
