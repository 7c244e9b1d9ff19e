#include "addon/core.h"

#include <algorithm>
#include <thread>

#include "addon/cores.h"
#include "batching/hand_off.h"
#include "batching/shape_probe.h"
#include "ort/buckets.h"

namespace millrace {

namespace {

// Runs of one row from here on are long enough for one lane with many threads to be thought of.
constexpr Nanos kLongRun = 10'000'000;
// Where the event loop is too busy to say how long it takes to wake it.
constexpr Nanos kUsualLoopWake = 20'000;
// What a hand-off may cost: less is not worth the risk, more is a machine that was busy meanwhile.
constexpr Nanos kLeastHandOff = 5'000;
constexpr Nanos kMostHandOff = 200'000;

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

Status LoadedModel::Load(const Surroundings& surroundings, const LoadRequest& request,
                         std::shared_ptr<LoadedModel>& model) {
  std::shared_ptr<LoadedModel> loading(new LoadedModel);
  SessionOptions session;
  session.path = request.path;
  session.bytes = request.bytes;
  session.intra_op_threads = std::max(request.intra_op_threads, 1);
  // A device prepares what it is told of; other shapes run all the same.
  session.buckets = CombineBuckets(request.axes, request.row_sizes);
  MILLRACE_RETURN_IF_ERROR(Session::Load(surroundings.library, session, loading->session_));
  const Signature& signature = loading->signature();
  if (signature.inputs.size() > kMaxTensors || signature.outputs.size() > kMaxTensors) {
    return {Code::kUnimplemented, "The model has more than 256 inputs or outputs"};
  }

  MILLRACE_RETURN_IF_ERROR(ShapePlan::Make(signature, request.axes, loading->shapes_));
  MILLRACE_RETURN_IF_ERROR(loading->DecideBatching(request));
  MILLRACE_RETURN_IF_ERROR(loading->PlanShapes(request));
  MILLRACE_RETURN_IF_ERROR(loading->MapInputs(request));

  BatcherOptions options;
  const bool batched = loading->batchability_.batched;
  options.pending.batched = batched;
  options.pending.shapes = &loading->shapes_;
  options.maps = &loading->maps_;
  options.policy.kind = batched ? request.policy : PolicyKind::kBusy;
  options.policy.max_rows = batched ? request.max_rows : 1;
  options.policy.max_delay = request.max_delay;
  options.max_queue = request.max_queue;
  options.spin = request.spin;
  options.run_limit = request.run_limit;
  const bool at_once = options.policy.kind != PolicyKind::kTimer &&
                       SteadyCost(signature, loading->shapes_, batched);
  const Nanos limit = request.inline_limit < 0 ? surroundings.hand_off : request.inline_limit;
  options.inline_limit = at_once ? limit : 0;
  options.share = &surroundings.share;
  options.weight = request.weight;
  const WarmupOptions warmup{batched, options.policy.max_rows, request.warmup, &loading->shapes_};
  options.lanes = loading->ChooseSplit(surroundings, request, session, warmup);
  loading->batcher_ = std::make_unique<Batcher>(*loading->session_, loading->clock_, options);
  loading->WarmUp(request, warmup);
  model = std::move(loading);
  return {};
}

// Lanes, and threads for each run, by measurement unless they are given: lanes of one thread share one
// copy of the weights and do most; one lane with all the threads is better for few, long runs.
uint32_t LoadedModel::ChooseSplit(const Surroundings& surroundings, const LoadRequest& request,
                                  SessionOptions session, const WarmupOptions& warmup) {
  intra_op_threads_ = session.intra_op_threads;
  if (request.lanes != 0) return request.lanes;
  const uint32_t cores = surroundings.cores / static_cast<uint32_t>(intra_op_threads_);
  const uint32_t lanes = ChooseLanes(signature(), *session_, clock_, warmup, cores);
  if (request.intra_op_threads != 0 || surroundings.cores < 2) return lanes;
  CostModel cost;
  millrace::WarmUp(signature(), *session_, clock_, {warmup.batched, 1, 0, warmup.shapes}, cost);
  if (cost.Mean(1) < kLongRun) return lanes;
  std::unique_ptr<Session> threaded;
  session.intra_op_threads = static_cast<int>(surroundings.cores);
  if (!Session::Load(surroundings.library, session, threaded).ok()) return lanes;
  if (!PreferThreads(signature(), *session_, lanes, *threaded, clock_, warmup)) return lanes;
  session_ = std::move(threaded);
  intra_op_threads_ = session.intra_op_threads;
  return 1;
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

// What requests bring, where that is not what the model takes.
Status LoadedModel::MapInputs(const LoadRequest& request) {
  request_signature_ = signature();
  std::vector<TensorSpec>& inputs = request_signature_.inputs;
  maps_.resize(inputs.size());
  for (const PixelForm& form : request.pixels) {
    const auto spec = std::ranges::find(inputs, form.input, &TensorSpec::name);
    if (spec == inputs.end()) {
      return {Code::kInvalidArgument, "The model has no input '" + form.input + "' to make of pixels"};
    }
    const auto index = static_cast<size_t>(spec - inputs.begin());
    for (size_t axis = 0; axis < spec->dims.size(); ++axis) {
      if (shapes_.InputAxis(index, axis) == ShapePlan::kNone) continue;
      return {Code::kInvalidArgument, "Input '" + form.input +
                                          "' has a declared axis and cannot be made of pixels: leave "
                                          "one of the two out"};
    }
    MILLRACE_RETURN_IF_ERROR(MakePixelInput(form, *spec, maps_[index]));
  }
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

Core::Core(const OrtLibrary& ort, uint32_t js_threads)
    : library(ort), lane_cores_(LaneCores(UsableCores(), js_threads)), cpu_(lane_cores_) {}

Nanos Core::HandOff(const std::function<Nanos()>& wake_js) {
  const std::lock_guard lock(measuring_);
  if (hand_off_.load(std::memory_order_relaxed) == 0) {
    const Nanos loop = wake_js();
    const Nanos sum = MeasureWake(SteadyClock()) + (loop == kNever ? kUsualLoopWake : loop);
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
  const LoadedModel::Surroundings surroundings{library, cpu_, lane_cores_,
                                               hand_off_.load(std::memory_order_relaxed)};
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
