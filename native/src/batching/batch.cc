#include "batching/batch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "batching/padding.h"
#include "batching/pooling.h"
#include "batching/staged.h"

namespace millrace {
namespace {

// A run of a batch.
struct RunShape {
  const ShapePlan& plan;
  bool batched = false;
  size_t bucket = 0;
  // The rows of the requests, and those with the rows that fill the batch up.
  int64_t rows = 0;
  int64_t padded_rows = 0;
};

RunShape ShapeOf(std::span<Request*> requests, const RunContext& context) {
  RunShape run{ShapePlan::OrNone(context.shapes), context.batched};
  run.bucket = requests.front()->bucket;
  for (const Request* request : requests) {
    run.bucket = run.plan.Join(run.bucket, request->bucket);
    run.rows += request->rows;
  }
  // A device with its own memory fills up its device shapes itself.
  const bool fills = context.executor.staged() != nullptr;
  run.padded_rows = run.batched && !fills ? run.plan.RunRows(run.rows) : run.rows;
  return run;
}

// Returns whether a lone request can run in its own shapes.
bool FitsAsItIs(const Request& request, const RunShape& run) {
  if (run.padded_rows != run.rows) return false;
  if (run.plan.axes().empty()) return true;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const Shape& own = request.inputs[i].view.shape;
    if (run.plan.InputShape(i, own, run.bucket) != own) return false;
  }
  return true;
}

// Returns the elements of a tensor that is to be made. Throws std::bad_alloc if no memory can hold them.
size_t ElementsToMake(const Shape& shape) {
  constexpr int64_t kMost = int64_t{1} << 48;
  const auto elements = shape.Elements();
  if (!elements || *elements > kMost) throw std::bad_alloc();
  return static_cast<size_t>(*elements);
}

// Returns the elements of an input, as bytes or as strings.
template <class T>
std::span<const T> Content(const Input& input) noexcept {
  if constexpr (std::is_same_v<T, std::string>) {
    return input.strings;
  } else {
    return {input.view.data, input.view.bytes};
  }
}

void PadInput(const Input& input, const Shape& padded, const Element& pad, std::byte* target) {
  PadInto(input.view, padded, pad, target);
}

void PadInput(const Input& input, const Shape& padded, const Element& pad, std::string* target) {
  TensorView view = input.view;
  view.strings = input.strings.data();
  PadInto(view, padded, pad, target);
}

// Writes input `index` of all requests to `target`, one after another, each padded to the lengths of the run. Missing
// rows are copies of the last one, which the model accepts. `T` is std::byte or std::string, of which an element
// takes `unit`.
template <class T>
void Lay(std::span<Request*> requests, size_t index, const RunShape& run, size_t unit, T* target) {
  const bool pads = run.plan.Pads(index);
  const Element& pad = run.plan.pad(index);
  for (const Request* request : requests) {
    const Input& input = request->inputs[index];
    if (!pads) {
      const std::span<const T> content = Content<T>(input);
      target = std::copy_n(content.data(), content.size(), target);
      continue;
    }
    const Shape padded = run.plan.InputShape(index, input.view.shape, run.bucket);
    PadInput(input, padded, pad, target);
    target += static_cast<size_t>(padded.Elements().value_or(0)) * unit;
  }
  const int64_t missing = run.padded_rows - run.rows;
  if (missing == 0) return;
  const Input& last = requests.back()->inputs[index];
  Shape padded = run.plan.InputShape(index, last.view.shape, run.bucket);
  if (run.rows == 0) {
    padded.dims[0] = missing;
    return PadInput(last, padded, pad, target);
  }
  const size_t row = static_cast<size_t>(padded.Elements(1).value_or(0)) * unit;
  for (int64_t i = 0; i < missing; ++i) target = std::copy_n(target - row, row, target);
}

// Gathers input `index` of a run in staging memory.
TensorView Gather(std::span<Request*> requests, size_t index, const RunShape& run,
                  Staging& staging) {
  TensorView whole = requests.front()->inputs[index].view;
  whole.shape = run.plan.InputShape(index, whole.shape, run.bucket);
  if (run.batched) whole.shape.dims[0] = run.padded_rows;
  const size_t elements = ElementsToMake(whole.shape);
  if (whole.type == ElementType::kString) {
    std::vector<std::string>& strings = staging.Strings(index);
    strings.resize(elements);
    Lay(requests, index, run, 1, strings.data());
    whole.strings = strings.data();
    return whole;
  }
  whole.bytes = elements * ElementSize(whole.type);
  std::byte* const target = staging.Reserve(index, whole.bytes);
  Lay(requests, index, run, ElementSize(whole.type), target);
  whole.data = target;
  return whole;
}

// The shape that an input of a request has in the model. Requests may also have the model's own form.
Shape ModelShape(const InputMap& map, const TensorView& own) {
  return own.type == map.type() ? own.shape : map.ModelShape(own.shape);
}

// Returns the map for input `index`, or null if it has none or every request has the model's own form.
const InputMap* MapOf(std::span<Request*> requests, size_t index, const InputMaps* maps) {
  if (maps == nullptr || index >= maps->size() || (*maps)[index] == nullptr) return nullptr;
  const InputMap* const map = (*maps)[index].get();
  const bool has_other_form = std::ranges::any_of(requests, [&](const Request* request) {
    return request->inputs[index].view.type != map->type();
  });
  return has_other_form ? map : nullptr;
}

// Gathers input `index` of a run with `map`.
TensorView GatherMapped(std::span<Request*> requests, size_t index, const RunShape& run,
                        const InputMap& map, Staging& staging) {
  TensorView whole;
  whole.type = map.type();
  whole.shape = ModelShape(map, requests.front()->inputs[index].view);
  if (run.batched) whole.shape.dims[0] = run.padded_rows;
  const size_t size = ElementSize(whole.type);
  whole.bytes = ElementsToMake(whole.shape) * size;
  std::byte* target = staging.Reserve(index, whole.bytes);
  whole.data = target;
  for (const Request* request : requests) {
    const TensorView& part = request->inputs[index].view;
    if (part.type != map.type()) {
      map.Map(part, target);
    } else if (part.bytes != 0) {
      std::memcpy(target, part.data, part.bytes);
    }
    target += ElementsToMake(part.shape) * size;
  }
  const size_t row = static_cast<size_t>(whole.shape.Elements(1).value_or(0)) * size;
  for (int64_t i = run.rows; i < run.padded_rows; ++i, target += row) {
    if (i == 0) {
      std::memset(target, 0, row);
    } else {
      std::copy_n(target - row, row, target);
    }
  }
  return whole;
}

// Copies the borrowed inputs of a lone request; its other inputs are used in place.
TensorView Own(const Request& request, size_t index, Staging& staging) {
  TensorView view = request.inputs[index].view;
  if (view.type == ElementType::kString) {
    view.strings = request.inputs[index].strings.data();
  } else if (view.data != request.inputs[index].copy.get() && view.bytes != 0) {
    std::byte* const target = staging.Reserve(index, view.bytes);
    std::memcpy(target, view.data, view.bytes);
    view.data = target;
  }
  return view;
}

bool CountsRows(const OutputBlock& block, int64_t rows) {
  return std::ranges::all_of(block.tensors, [rows](const TensorView& view) {
    return view.shape.rank != 0 && view.shape.dims[0] == rows;
  });
}

void Fail(std::span<Request*> requests, const Status& status, Nanos started,
          Nanos finished) noexcept {
  for (Request* request : requests) {
    request->status = Status::CopyOf(status);
    request->started = started;
    request->finished = finished;
  }
}

// Returns the inputs of a run. Borrowed memory is not needed any more afterwards.
std::vector<TensorView> GatherAll(std::span<Request*> requests, const RunShape& run,
                                  const RunContext& context) {
  std::vector<TensorView> inputs;
  const size_t count = requests.front()->inputs.size();
  inputs.reserve(count);
  const bool as_it_is = requests.size() == 1 && FitsAsItIs(*requests.front(), run);
  for (size_t i = 0; i < count; ++i) {
    if (const InputMap* const map = MapOf(requests, i, context.maps)) {
      inputs.push_back(GatherMapped(requests, i, run, *map, context.staging));
    } else {
      inputs.push_back(as_it_is ? Own(*requests.front(), i, context.staging)
                                : Gather(requests, i, run, context.staging));
    }
  }
  return inputs;
}

// The inputs of a run in two steps: those of each request in place if they need no padding or conversion, and otherwise
// one gathered part. Valid as long as the requests and the worker's staging memory are.
struct StagedInputs {
  std::vector<TensorView> views;  // of all parts, one after another
  std::vector<Part> parts;
};

void Prepare(std::span<Request*> requests, const RunShape& run, const RunContext& context,
             StagedInputs& inputs) {
  const size_t count = requests.front()->inputs.size();
  bool mapped = false;
  for (size_t i = 0; i < count; ++i) mapped = mapped || MapOf(requests, i, context.maps) != nullptr;
  const bool as_they_are =
      !mapped && std::ranges::all_of(requests, [&run](const Request* request) {
        return FitsAsItIs(*request, run);
      });
  if (as_they_are) {
    for (const Request* request : requests) {
      for (const Input& input : request->inputs) {
        inputs.views.push_back(input.view);
        inputs.views.back().strings = input.strings.data();
      }
    }
  } else {
    inputs.views = GatherAll(requests, run, context);
  }
  for (size_t at = 0; at == 0 || at < inputs.views.size(); at += std::max<size_t>(count, 1)) {
    inputs.parts.emplace_back(inputs.views.data() + at, count);
  }
}

// Copies the inputs to the executor's device and runs it, or runs it on inputs in the CPU's memory. Borrowed memory is
// not needed any more once it has been copied. `started` becomes the time at which the run started.
Status Execute(std::span<Request*> requests, const RunShape& run, const RunContext& context, Nanos& started,
               OutputRef& outputs) {
  StagedExecutor* const staged = context.executor.staged();
  if (staged == nullptr) {
    const std::vector<TensorView> inputs = GatherAll(requests, run, context);
    for (Request* request : requests) request->borrow.EndRead();
    started = context.clock.Now();
    return context.executor.Run(inputs, context.handle, outputs);
  }
  StagedInputs inputs;
  Prepare(requests, run, context, inputs);
  Status status = staged->Begin(inputs.parts, run.batched, context.handle);
  for (Request* request : requests) request->borrow.EndRead();
  if (!status.ok()) return status;
  status = staged->Finish(context.handle, outputs);
  started = context.handle.Started(started);
  return status;
}

// Checks the outputs of a run, and sets which part of them belongs to each request.
Status Share(std::span<Request*> requests, const OutputBlock& block, const RunShape& run) {
  if (run.batched && !CountsRows(block, run.padded_rows)) {
    for (Request* request : requests) request->other_rows = true;
    return {Code::kInternal, "The outputs have another number of rows than the inputs"};
  }
  for (Request* request : requests) {
    MILLRACE_RETURN_IF_ERROR(run.plan.CheckOutputs(block.tensors, *request, run.bucket));
    run.plan.SetOwnShapes(block.tensors, run.batched, *request);
  }
  return {};
}

void Succeed(std::span<Request*> requests, const OutputRef& outputs, const RunShape& run,
             Nanos started, const Clock& clock) {
  int64_t first_row = 0;
  for (Request* request : requests) {
    request->status = {};
    request->outputs = outputs;
    request->first_row = first_row;
    request->shared = requests.size() > 1 || run.padded_rows != run.rows;
    request->started = started;
    request->batch_rows = run.rows;
    request->batch_requests = static_cast<uint32_t>(requests.size());
    first_row += request->rows;
    if (request->pooling == nullptr) continue;
    try {
      request->status = PoolOutputs(*request);
    } catch (...) {
      request->status = Caught();
    }
    if (!request->status.ok()) request->outputs.reset();
  }
  const Nanos finished = clock.Now();
  for (Request* request : requests) request->finished = finished;
}

// Returns whether a part of the batch may succeed. That is not so if the run was terminated, because it would take as
// long again, or if the device is lost.
bool WorthSplitting(const Status& status) noexcept {
  return status.code() != Code::kDeadlineExceeded && status.code() != Code::kUnavailable;
}

// Makes one attempt, which sets the outcome of every request.
Status RunOnce(std::span<Request*> requests, const RunContext& context) {
  Nanos started = context.clock.Now();
  Status status;
  OutputRef outputs;
  const RunShape run = ShapeOf(requests, context);
  for (Request* request : requests) request->other_rows = false;
  if (context.observer != nullptr) context.observer->Begin(requests, started);
  try {
    status = Execute(requests, run, context, started, outputs);
    if (status.ok()) status = Share(requests, *outputs, run);
  } catch (...) {
    for (Request* request : requests) request->borrow.EndRead();
    status = Caught();
  }
  if (context.observer != nullptr) context.observer->End();
  if (status.ok()) {
    Succeed(requests, outputs, run, started, context.clock);
  } else {
    Fail(requests, status, started, context.clock.Now());
  }
  return status;
}

// Returns how many of the first requests may share a batch, which is at least one.
size_t CountSharing(std::span<Request* const> requests, const ShapePlan& plan) noexcept {
  size_t count = 1;
  int64_t rows = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    rows += requests[i]->rows;
    if (plan.MayShare(plan.RunRows(rows))) count = i + 1;
  }
  return count;
}

// Runs a request like one to a model without rows.
void RunWithoutRows(Request& request, RunContext context) {
  Request* alone[] = {&request};
  const Nanos now = context.clock.Now();
  if (!request.borrow.BeginRead()) {
    return Fail(alone, Status::Of(Code::kCancelled, "The thread that sent the request has ended"), now, now);
  }
  context.batched = false;
  static_cast<void>(RunOnce(alone, context));
  // A request without rows may have outputs with rows.
  request.other_rows = request.rows > 0;
}

// Runs requests that may share a batch and whose borrowed memory is being read.
void RunShared(std::span<Request*> requests, const RunContext& context) {
  const Status status = RunOnce(requests, context);
  if (status.ok() || !WorthSplitting(status)) return;
  if (requests.size() == 1) {
    if (requests.front()->other_rows) RunWithoutRows(*requests.front(), context);
    return;
  }
  const size_t half = requests.size() / 2;
  RunBatch(requests.first(half), context);
  RunBatch(requests.subspan(half), context);
}

}  // namespace

void RunBatch(std::span<Request*> requests, const RunContext& context) noexcept {
  while (!requests.empty()) {
    const auto revoked = std::ranges::stable_partition(
        requests, [](Request* request) { return request->borrow.BeginRead(); });
    const Nanos now = context.clock.Now();
    Fail({revoked.begin(), revoked.end()},
         Status::Of(Code::kCancelled, "The thread that sent the request has ended"), now, now);
    requests = requests.first(requests.size() - revoked.size());
    if (requests.empty()) return;
    const size_t sharing = CountSharing(requests, ShapePlan::OrNone(context.shapes));
    const auto later = requests.subspan(sharing);
    for (Request* request : later) request->borrow.EndRead();
    RunShared(requests.first(sharing), context);
    requests = later;
  }
}

}  // namespace millrace
