#include "addon/core.h"

#include <algorithm>
#include <thread>

#include "batching/shape_probe.h"
#include "ort/buckets.h"

namespace millrace {

namespace {

// Cores left for lanes once the JavaScript thread has one.
uint32_t LaneCores() { return std::max(std::thread::hardware_concurrency(), 2u) - 1; }

// Whether a run's length depends on its rows and its bucket only.
bool SteadyCost(const Signature& signature, const ShapePlan& shapes, bool batched) {
  for (size_t input = 0; input < signature.inputs.size(); ++input) {
    const TensorSpec& spec = signature.inputs[input];
    if (spec.type == ElementType::kString) return false;
    for (size_t axis = batched ? 1 : 0; axis < spec.dims.size(); ++axis) {
      const bool padded = shapes.pads && shapes.InputAxis(input, axis) != ShapePlan::kNone;
      if (spec.dims[axis] == -1 && !padded) return false;
    }
  }
  return true;
}

}  // namespace

Status LoadedModel::Load(const OrtLibrary& library, const LoadRequest& request, DeviceShare& share,
                         std::shared_ptr<LoadedModel>& model) {
  std::shared_ptr<LoadedModel> loading(new LoadedModel);
  SessionOptions session;
  session.path = request.path;
  session.bytes = request.bytes;
  session.intra_op_threads = request.intra_op_threads;
  // A device prepares what it is told of; other shapes run all the same.
  session.buckets = CombineBuckets(request.axes, request.row_sizes);
  MILLRACE_RETURN_IF_ERROR(Session::Load(library, session, loading->session_));
  const Signature& signature = loading->signature();
  if (signature.inputs.size() > kMaxTensors || signature.outputs.size() > kMaxTensors) {
    return {Code::kUnimplemented, "The model has more than 256 inputs or outputs"};
  }

  MILLRACE_RETURN_IF_ERROR(ShapePlan::Make(signature, request.axes, loading->shapes_));
  MILLRACE_RETURN_IF_ERROR(loading->DecideBatching(request));
  MILLRACE_RETURN_IF_ERROR(loading->PlanShapes(request));

  BatcherOptions options;
  const bool batched = loading->batchability_.batched;
  options.pending.batched = batched;
  options.pending.shapes = &loading->shapes_;
  options.policy.kind = batched ? request.policy : PolicyKind::kBusy;
  options.policy.max_rows = batched ? request.max_rows : 1;
  options.policy.max_delay = request.max_delay;
  options.max_queue = request.max_queue;
  options.spin = request.spin;
  options.run_limit = request.run_limit;
  const bool at_once = options.policy.kind != PolicyKind::kTimer &&
                       SteadyCost(signature, loading->shapes_, batched);
  options.inline_limit = at_once ? request.inline_limit : 0;
  options.share = &share;
  options.weight = request.weight;
  const WarmupOptions warmup{batched, options.policy.max_rows, request.warmup, &loading->shapes_};
  options.lanes = request.lanes != 0
                      ? request.lanes
                      : ChooseLanes(signature, *loading->session_, loading->clock_, warmup,
                                    LaneCores());
  loading->batcher_ = std::make_unique<Batcher>(*loading->session_, loading->clock_, options);
  loading->WarmUp(request, warmup);
  model = std::move(loading);
  return {};
}

// Whether dimension 0 counts rows.
Status LoadedModel::DecideBatching(const LoadRequest& request) {
  switch (request.batching) {
    case BatchingMode::kAuto:
      batchability_ = ProbeBatching(signature(), *session_, &shapes_);
      break;
    case BatchingMode::kDeclared:
      batchability_ = {true, ""};
      if (const std::string axis = shapes_.AxisOfRows(); !axis.empty()) {
        return {Code::kInvalidArgument, "Batching was asked for, but axis '" + axis +
                                            "' is along dimension 0, which counts rows: leave "
                                            "maxRows and rowBuckets out"};
      }
      for (const auto* specs : {&signature().inputs, &signature().outputs}) {
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
      batchability_ = {false, "Batching was turned off when the model was loaded"};
      break;
  }
  return {};
}

// What requests are padded to, once it is known whether they can share a run.
Status LoadedModel::PlanShapes(const LoadRequest& request) {
  const bool batched = batchability_.batched;
  if (batched) shapes_.row_sizes = request.row_sizes;
  shapes_.max_elements = request.max_elements;
  const std::vector<int64_t> longest = shapes_.Lengths(shapes_.buckets() - 1);
  const int64_t most = std::min(request.max_elements, ShapePlan::kMaxElements);
  const std::vector<Shape> largest = shapes_.SampleShapes(signature(), longest, 1);
  for (size_t input = 0; input < largest.size(); ++input) {
    const auto elements = largest[input].Elements(batched ? 1 : 0);
    if (elements && *elements <= most) continue;
    return {Code::kInvalidArgument,
            "A row of input '" + signature().inputs[input].name + "' may have " +
                (elements ? std::to_string(*elements) : "too many") +
                " elements in the largest buckets, but batching.maxElements allows " +
                std::to_string(most)};
  }
  std::string reason;
  MILLRACE_RETURN_IF_ERROR(
      ProbePadding(signature(), *session_, clock_, batched, shapes_, reason));
  std::string& told = batchability_.reason;
  told += (told.empty() || reason.empty() ? "" : "; ") + reason;
  return {};
}

// Starts from the costs that are known and measures the others.
void LoadedModel::WarmUp(const LoadRequest& request, const WarmupOptions& warmup) {
  for (const KnownCost& known : request.costs) {
    const auto bucket = shapes_.Find(known.lengths);
    if (bucket) batcher_->cost(*bucket).Seed(known.point);
  }
  if (warmup.budget == 0) return;
  WarmUpBuckets(signature(), *session_, clock_, warmup, batcher_->costs());
}

Core::Core(const OrtLibrary& ort) : library(ort), cpu_(LaneCores()) {}

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
