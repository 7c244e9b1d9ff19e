#include "addon/loaded_model.h"

#include <algorithm>

#include "batching/shape_probe.h"

namespace millrace {
namespace {

// If a run of one row takes at least this long, whatever its length, one worker with many threads may be best.
constexpr Nanos kLongRun = 10'000'000;

// Returns whether the time of a run depends only on its rows and its length bucket.
bool SteadyCost(const Signature& signature, const ShapePlan& shapes, bool batched) {
  for (size_t input = 0; input < signature.inputs.size(); ++input) {
    const TensorSpec& spec = signature.inputs[input];
    if (spec.type == ElementType::kString) return false;
    // An integer that does not belong to a row may be a size, a count or an axis.
    const bool whole = spec.type == ElementType::kInt32 || spec.type == ElementType::kInt64;
    if (whole && !batched) return false;
    for (size_t axis = batched ? 1 : 0; axis < spec.dims.size(); ++axis) {
      const bool padded = shapes.pads && shapes.InputAxis(input, axis) != ShapePlan::kNone;
      if (spec.dims[axis] == -1 && !padded) return false;
    }
  }
  return true;
}

// Returns whether every dynamic dimension follows a declared axis or counts rows.
bool IsClosed(const Signature& signature, const ShapePlan& shapes, bool batched) {
  for (size_t input = 0; input < signature.inputs.size(); ++input) {
    const std::vector<int64_t>& dims = signature.inputs[input].dims;
    for (size_t axis = batched ? 1 : 0; axis < dims.size(); ++axis) {
      if (dims[axis] == -1 && shapes.InputAxis(input, axis) == ShapePlan::kNone) return false;
    }
  }
  return true;
}

}  // namespace

Status LoadedModel::Load(const LoadSurroundings& surroundings, const LoadRequest& request,
                         std::shared_ptr<LoadedModel>& model) {
  std::shared_ptr<LoadedModel> loading(new LoadedModel);
  // The files are kept until all sessions are made.
  ModelSnapshot snapshot;
  MILLRACE_RETURN_IF_ERROR(request.path.empty()
                               ? snapshot.Take(request.bytes)
                               : snapshot.Take(request.path, request.digest, request.copy_folder));
  loading->data_sized_ = snapshot.graph().data_sized;
  loading->zip_maps_ = snapshot.graph().zip_maps;
  SessionOptions session;
  session.path = snapshot.path();
  session.bytes = snapshot.bytes();
  session.intra_op_threads = std::max(request.intra_op_threads, 1);
  session.dimensions = request.dimensions;
  session.device = request.device;
  session.digest = request.digest;
  session.cache_folder = request.cache_folder;
  session.choose = [&](const Signature& signature, Executor& trial, ShapeChoice& choice) {
    return loading->Choose(request, signature, trial, choice);
  };
  MILLRACE_RETURN_IF_ERROR(LoadExecutor(surroundings.library, session, loading->executor_));
  MILLRACE_RETURN_IF_ERROR(loading->MapInputs(request));
  const Signature& signature = loading->signature();

  BatcherOptions options;
  const bool batched = loading->batchability_.batched;
  options.pending.batched = batched;
  options.pending.shapes = &loading->shapes_;
  options.maps = &loading->maps_;
  options.policy.kind = batched ? request.policy : PolicyKind::kBusy;
  options.policy.max_rows = loading->batchability_.max_rows;
  options.policy.max_delay = request.max_delay;
  options.max_queue = request.max_queue;
  options.max_queue_by_priority = request.max_queue_by_priority;
  options.spin = request.spin;
  options.run_limit = request.run_limit;
  StagedExecutor* const staged = loading->executor_->staged();
  if (staged != nullptr) options.devices = static_cast<uint32_t>(staged->devices());
  // A device may be busy with other batches, for which the JavaScript thread must not wait.
  const bool at_once = options.policy.kind != PolicyKind::kTimer && staged == nullptr &&
                       SteadyCost(signature, loading->shapes_, batched);
  options.inline_limit = at_once ? request.inline_limit : 0;
  options.share = &surroundings.share(loading->report().device);
  options.weight = request.weight;
  const WarmupOptions warmup{batched, options.policy.max_rows, request.warmup, &loading->shapes_};
  MILLRACE_RETURN_IF_ERROR(
      loading->ChooseSplit(surroundings, request, session, warmup, options.workers));
  loading->batcher_ = std::make_unique<Batcher>(*loading->executor_, loading->clock_, options);
  loading->WarmUp(request, warmup);
  model = std::move(loading);
  return {};
}

// Chooses the number of workers and of threads for each run. A device has as many workers as batches in flight. On the
// CPU both are measured unless they are set: several workers of one thread share one copy of the weights and have the
// highest throughput; one worker with all the threads is better for few, long runs. Decision 0046 has the numbers.
Status LoadedModel::ChooseSplit(const LoadSurroundings& surroundings, const LoadRequest& request,
                                SessionOptions session, const WarmupOptions& warmup,
                                uint32_t& workers) {
  intra_op_threads_ = session.intra_op_threads;
  if (StagedExecutor* const staged = executor_->staged()) {
    workers = static_cast<uint32_t>(staged->depth());
    return {};
  }
  workers = request.instances;
  if (workers != 0) return {};
  const CoreBudget& cores = surroundings.cores;
  const auto threads = static_cast<uint32_t>(intra_op_threads_);
  workers = 1;
  if (cores.all / threads < 2) return {};
  const auto row_of = [&](size_t bucket) {
    return TimeOfOneRow(signature(), *executor_, clock_, warmup, bucket);
  };
  const Nanos alone = row_of(TypicalBucket(warmup));
  workers = ChooseWorkers(signature(), *executor_, clock_, warmup, alone,
                          {std::max(cores.spare / threads, 1u), cores.all / threads});
  if (request.intra_op_threads != 0 || alone < kLongRun || row_of(0) < kLongRun) return {};
  std::unique_ptr<LoadedExecutor> threaded;
  session.intra_op_threads = static_cast<int>(cores.all);
  if (!LoadExecutor(surroundings.library, session, threaded).ok()) return {};
  if (!PreferThreads(signature(), *executor_, workers, *threaded, clock_, warmup, alone)) return {};
  executor_ = std::move(threaded);
  intra_op_threads_ = session.intra_op_threads;
  workers = 1;
  return {};
}

// Decides about batching and shapes only once, so that all devices that are tried run the same shapes.
Status LoadedModel::Choose(const LoadRequest& request, const Signature& signature, Executor& trial,
                           ShapeChoice& choice) {
  if (!chosen_) {
    if (signature.inputs.size() > kMaxTensors || signature.outputs.size() > kMaxTensors) {
      return {Code::kUnimplemented, "The model has more than 256 inputs or outputs"};
    }
    MILLRACE_RETURN_IF_ERROR(ShapePlan::Make(signature, request.axes, shapes_));
    MILLRACE_RETURN_IF_ERROR(DecideBatching(request, signature, trial));
    MILLRACE_RETURN_IF_ERROR(PlanShapes(request, signature, trial));
    chosen_ = true;
  }
  choice.batched = batchability_.batched;
  choice.shapes = DeviceShapesFor(signature);
  return {};
}

// Returns all shapes that the batcher runs, or an empty list if they are not all known.
std::vector<DeviceShape> LoadedModel::DeviceShapesFor(const Signature& signature) const {
  std::vector<DeviceShape> device_shapes;
  const bool batched = batchability_.batched;
  if (!IsClosed(signature, shapes_, batched)) return device_shapes;
  const std::vector<int64_t> sizes = batched ? shapes_.PreparedRows(batchability_.max_rows) : std::vector<int64_t>{1};
  for (size_t bucket = 0; bucket < shapes_.buckets(); ++bucket) {
    const std::vector<Shape> row = shapes_.SampleShapes(signature, shapes_.Lengths(bucket), 1);
    int64_t per_row = 1;
    for (const Shape& shape : row) per_row = std::max(per_row, shape.Elements(1).value_or(1));
    const int64_t most = shapes_.RowLimit(per_row, batchability_.max_rows);
    for (const int64_t rows : sizes) {
      if (rows > most && rows > 1) continue;
      DeviceShape& device_shape = device_shapes.emplace_back(DeviceShape{rows, row});
      for (Shape& shape : device_shape.inputs) {
        if (batched) shape.dims[0] = rows;
      }
    }
  }
  return device_shapes;
}

// Decides whether dimension 0 counts rows.
Status LoadedModel::DecideBatching(const LoadRequest& request, const Signature& signature,
                                   Executor& trial) {
  const bool on_cpu = request.device.device == "cpu";
  switch (request.batching) {
    case BatchingMode::kAuto:
      batchability_ =
          ProbeBatching(signature, trial, clock_, {request.max_rows, &shapes_, data_sized_, !on_cpu});
      break;
    case BatchingMode::kDeclared:
      batchability_ = {true, "", request.max_rows};
      if (const std::string axis = shapes_.AxisOfRows(); !axis.empty()) {
        return {Code::kInvalidArgument, "Batching was asked for, but axis '" + axis +
                                            "' is along dimension 0, which counts rows: leave "
                                            "maxRows and rowBuckets out"};
      }
      return CheckDeclared(signature, trial);
    case BatchingMode::kOff:
      batchability_ = {false, "Batching was turned off when the model was loaded"};
      break;
  }
  return {};
}

// Refuses a declaration that cannot be true: an input whose dimension 0 is fixed, or an output whose dimension 0 is
// fixed and has another size in a run. Some exporters declare one row for outputs that have as many as the inputs.
Status LoadedModel::CheckDeclared(const Signature& signature, Executor& trial) const {
  const auto fixed = [](const std::vector<TensorSpec>& specs) {
    return std::ranges::find_if(
        specs, [](const TensorSpec& spec) { return spec.dims.empty() || spec.dims[0] != -1; });
  };
  auto wrong = fixed(signature.inputs);
  if (wrong == signature.inputs.end()) {
    wrong = fixed(signature.outputs);
    const bool scalar = wrong != signature.outputs.end() && wrong->dims.empty();
    if (wrong == signature.outputs.end() ||
        (!scalar && OutputsCountRows(signature, trial, shapes_))) {
      return {};
    }
  }
  return {Code::kInvalidArgument,
          "Batching was asked for, but dimension 0 of '" + wrong->name +
              "' is not dynamic: export the model with a dynamic batch dimension or load it with "
              "batching: false"};
}

// Completes the plan of shapes, once it is known whether requests can be batched.
Status LoadedModel::PlanShapes(const LoadRequest& request, const Signature& signature,
                               Executor& trial) {
  const bool batched = batchability_.batched;
  if (batched) shapes_.row_sizes = request.row_sizes;
  shapes_.shared_rows = batchability_.compared_rows;
  shapes_.max_elements = request.max_elements;
  const std::vector<int64_t> longest = shapes_.Lengths(shapes_.buckets() - 1);
  const int64_t most = std::min(request.max_elements, ShapePlan::kMaxElements);
  const std::vector<Shape> largest = shapes_.SampleShapes(signature, longest, 1);
  for (size_t input = 0; input < largest.size(); ++input) {
    const auto elements = largest[input].Elements(batched ? 1 : 0);
    if (elements && *elements <= most) continue;
    return {Code::kInvalidArgument,
            "A row of input '" + signature.inputs[input].name + "' may have " +
                (elements ? std::to_string(*elements) : "too many") +
                " elements in the largest buckets, but batching.maxElements allows " +
                std::to_string(most)};
  }
  std::string reason;
  MILLRACE_RETURN_IF_ERROR(
      ProbePadding(signature, trial, clock_, batched, shapes_, reason));
  std::string& reasons = batchability_.reason;
  reasons += (reasons.empty() || reason.empty() ? "" : "; ") + reason;
  return {};
}

// Makes the maps for inputs that have another form in requests than in the model.
Status LoadedModel::MapInputs(const LoadRequest& request) {
  request_signature_ = signature();
  for (TensorSpec& spec : request_signature_.outputs) {
    // Runs have shown that outputs have rows even if the file declares a fixed size.
    if (batchability_.batched) spec.dims[0] = -1;
  }
  std::vector<TensorSpec>& inputs = request_signature_.inputs;
  maps_.resize(inputs.size());
  pixel_specs_.resize(inputs.size());
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
    TensorSpec pixels = *spec;
    MILLRACE_RETURN_IF_ERROR(MakePixelInput(form, pixels, maps_[index]));
    if (form.either) {
      pixel_specs_[index] = std::move(pixels);
    } else {
      *spec = std::move(pixels);
    }
  }
  return {};
}

// Starts from the known costs and measures the others.
void LoadedModel::WarmUp(const LoadRequest& request, const WarmupOptions& warmup) {
  for (const KnownCost& known : request.costs) {
    const auto bucket = shapes_.Find(known.lengths);
    if (bucket) batcher_->cost(*bucket).Seed(known.point);
  }
  if (warmup.budget == 0) return;
  WarmUpBuckets(signature(), *executor_, clock_, warmup, batcher_->costs());
}

}  // namespace millrace
