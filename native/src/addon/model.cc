#include "addon/model.h"

#include <algorithm>
#include <array>
#include <new>

#include "addon/convert.h"
#include "addon/device_report.h"
#include "addon/finalize_once.h"
#include "addon/load_call.h"
#include "addon/mailbox_layout.h"
#include "addon/stats_object.h"

namespace millrace {
namespace {

constexpr size_t kInlineInputs = 16;

// submit(...inputs, pooling?): number
// Submits the request in the mailbox, of which an output is pooled if there is a value after the inputs. Returns its
// slot, or the negative number of the code if it is refused; message() then returns the reason unless the code alone says
// enough. Afterwards the mailbox says whether the request has already run (kStartDone) or, with UNAVAILABLE, when to try
// again (kRetryAfter).
napi_value JS_submit(napi_env env, napi_callback_info info) {
  std::array<napi_value, kInlineInputs> few;
  std::vector<napi_value> many;
  size_t count = few.size();
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, few.data(), nullptr, &data);
  auto& hold = *static_cast<ModelHold*>(data);
  napi_value* values = few.data();
  if (count > few.size()) {
    many.resize(count);
    napi_get_cb_info(env, info, &count, many.data(), nullptr, nullptr);
    values = many.data();
  }

  JsThread& thread = *hold.thread;
  Code code = Code::kFailedPrecondition;
  Request* request = nullptr;
  const size_t inputs =
      hold.model == nullptr ? 0 : hold.model->request_signature().inputs.size();
  if (hold.model != nullptr && thread.mailbox != nullptr &&
      (count == inputs || count == inputs + 1)) {
    request = thread.Acquire();
    code = Code::kUnavailable;
  }
  if (request != nullptr) {
    try {
      Status status = ReadRequest(env, thread.mailbox, hold.model->request_signature(),
                                  hold.model->pixel_specs(), hold.model->shapes(), hold.model->batched(),
                                  hold.model->device(), values, *request);
      if (status.ok() && count > inputs) {
        status = ReadPooling(env, values[inputs], hold.model->request_signature().outputs.size(), *request);
      }
      code = status.code();
      thread.refusal = std::move(status);
    } catch (const std::bad_alloc&) {
      code = Code::kResourceExhausted;
      thread.refusal = Status::Of(code, "Out of memory while copying the inputs: send fewer rows");
    }
    Batcher& batcher = hold.model->batcher();
    const bool wake = thread.mailbox[kRequestStart] != kStartLater;
    const bool at_once = thread.mailbox[kRequestStart] == kStartAtOnce;
    bool done = false;
    if (code == Code::kOk) {
      done = at_once && batcher.RunInline(request, *hold.handle, hold.staging);
      if (!done) code = batcher.Enqueue(request);
    }
    thread.mailbox[kRequestStart] = done ? kStartDone : kStartLater;
    if (code == Code::kOk) {
      thread.Submitted();
      if (done) {
        thread.Done(request);
      } else if (wake) {
        batcher.Wake();
      }
    } else {
      thread.Return(request);
    }
  }
  if (code == Code::kUnavailable) {
    thread.mailbox[kRetryAfter] = static_cast<double>(hold.model->batcher().ExpectedWait()) * 1e-6;
  }
  napi_value result = nullptr;
  napi_create_int32(env,
                    code == Code::kOk ? static_cast<int32_t>(request->slot)
                                      : -static_cast<int32_t>(code),
                    &result);
  return result;
}

// wake(): void
// Wakes a worker for the requests that were submitted with kStartLater.
napi_value JS_wake(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  auto& hold = *static_cast<ModelHold*>(data);
  if (hold.model != nullptr) hold.model->batcher().Wake();
  return nullptr;
}

Napi::Value JS_stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto& hold = *static_cast<ModelHold*>(info.Data());
  if (hold.model == nullptr) return env.Null();
  const BatcherStats stats = hold.model->batcher().Stats();
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) {
    result.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  set("submitted", stats.submitted);
  set("completed", stats.completed);
  set("failed", stats.failed);
  set("cancelled", stats.cancelled);
  set("expired", stats.expired);
  set("rejected", stats.rejected);
  set("queued", stats.queued);
  set("running", stats.running);
  set("batches", stats.batches);
  set("rows", stats.rows);
  set("stuckInstances", stats.stuck_instances);
  result.Set("batched", Napi::Boolean::New(env, hold.model->batched()));
  result.Set("deviceLost", Napi::Boolean::New(env, !hold.model->healthy()));
  result.Set("returningShare", Napi::Number::New(env, stats.returning));
  result.Set("arrivalsPerSecond", Napi::Number::New(env, stats.arrival_rate));
  set("heldBack", stats.held);
  set("inlineRuns", stats.inline_runs);
  result.Set("inlineLimitMs",
             Napi::Number::New(env, static_cast<double>(stats.inline_limit) * 1e-6));
  result.Set("expectedWaitMs",
             Napi::Number::New(env, static_cast<double>(stats.expected_wait) * 1e-6));
  Napi::Array costs = Napi::Array::New(env, stats.costs.size());
  const ShapePlan& shapes = hold.model->shapes();
  for (uint32_t i = 0; i < stats.costs.size(); ++i) {
    const BucketCost& point = stats.costs[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("rows", Napi::Number::New(env, point.rows));
    object.Set("meanMs", Napi::Number::New(env, point.mean * 1e-6));
    object.Set("highMs", Napi::Number::New(env, point.high * 1e-6));
    object.Set("samples", Napi::Number::New(env, static_cast<double>(point.samples)));
    if (!shapes.axes().empty()) {
      Napi::Object lengths = Napi::Object::New(env);
      const std::vector<int64_t> own = shapes.Lengths(point.bucket);
      for (size_t axis = 0; axis < own.size(); ++axis) {
        lengths.Set(shapes.axes()[axis].name, static_cast<double>(own[axis]));
      }
      object.Set("lengths", lengths);
    }
    costs[i] = object;
  }
  result.Set("costs", costs);
  result.Set("sizes", ToArray(env, stats.sizes));
  result.Set("answered", ToObject(env, stats.completed_runs));
  result.Set("lastRunAt", Napi::Number::New(env, static_cast<double>(stats.last_run / 1'000'000)));
  result.Set("queue", ToObject(env, stats.queue));
  result.Set("compute", ToObject(env, stats.compute));
  return result;
}

// release(): Promise<void>
// Ends this thread's hold on the model. Resolves after that and, if it was the last hold, after the model has been
// freed.
Napi::Value JS_release(const Napi::CallbackInfo& info) {
  auto& hold = *static_cast<ModelHold*>(info.Data());
  return ReleaseOnThread(info.Env(), hold.thread, std::move(hold.model));
}

// Adds the names of the classes to outputs that replace maps from class to probability.
void AddLabels(Napi::Array outputs, const std::vector<TensorSpec>& specs,
               const std::vector<ZipMap>& zip_maps) {
  const Napi::Env env = outputs.Env();
  for (const ZipMap& map : zip_maps) {
    const auto spec = std::ranges::find(specs, map.output, &TensorSpec::name);
    if (spec == specs.end() || map.labels.empty()) continue;
    Napi::Array labels = Napi::Array::New(env, map.labels.size());
    for (uint32_t i = 0; i < map.labels.size(); ++i) labels[i] = map.labels[i];
    const auto index = static_cast<uint32_t>(spec - specs.begin());
    outputs.Get(index).As<Napi::Object>().Set("labels", labels);
  }
}

}  // namespace

Napi::Array ToArray(Napi::Env env, const std::vector<TensorSpec>& specs) {
  Napi::Array array = Napi::Array::New(env, specs.size());
  for (uint32_t i = 0; i < specs.size(); ++i) {
    const TensorSpec& spec = specs[i];
    Napi::Array dims = Napi::Array::New(env, spec.dims.size());
    Napi::Array symbols = Napi::Array::New(env, spec.symbols.size());
    for (uint32_t axis = 0; axis < spec.dims.size(); ++axis) {
      dims[axis] = Napi::Number::New(env, static_cast<double>(spec.dims[axis]));
      symbols[axis] = Napi::String::New(env, spec.symbols[axis]);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", spec.name);
    object.Set("type", ElementName(spec.type));
    object.Set("dims", dims);
    object.Set("symbols", symbols);
    array[i] = object;
  }
  return array;
}

Napi::Object WrapModel(Napi::Env env, std::shared_ptr<JsThread> thread,
                       std::shared_ptr<LoadedModel> model) {
  Napi::Object object = Napi::Object::New(env);
  const Signature& signature = model->request_signature();
  object.Set("inputs", ToArray(env, signature.inputs));
  object.Set("outputs", ToArray(env, signature.outputs));
  AddLabels(object.Get("outputs").As<Napi::Array>(), signature.outputs, model->zip_maps());
  object.Set("batched", Napi::Boolean::New(env, model->batchability().batched));
  object.Set("reason", model->batchability().reason);
  object.Set("maxRows",
             Napi::Number::New(
                 env, static_cast<double>(model->batcher().options().policy.max_rows)));

  Napi::Array masks = Napi::Array::New(env);
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    if (model->shapes().IsMask(i)) masks[masks.Length()] = signature.inputs[i].name;
  }
  object.Set("masks", masks);
  Napi::Array pixels = Napi::Array::New(env);
  for (const TensorSpec& spec : model->pixel_specs()) {
    if (!spec.name.empty()) pixels[pixels.Length()] = spec.name;
  }
  object.Set("pixels", pixels);
  object.Set("pads", Napi::Boolean::New(env, model->shapes().pads));

  object.Set("report", ToObject(env, model->report()));
  object.Set("instances", Napi::Number::New(env, model->batcher().options().workers));
  object.Set("intraOpThreads", Napi::Number::New(env, model->intra_op_threads()));

  auto* const hold = new ModelHold(std::move(thread), std::move(model));
  hold->thread->holds.insert(hold);
  napi_value submit = nullptr;
  napi_create_function(env, "submit", NAPI_AUTO_LENGTH, JS_guarded<JS_submit>, hold, &submit);
  object.Set("submit", submit);
  napi_value wake = nullptr;
  napi_create_function(env, "wake", NAPI_AUTO_LENGTH, JS_wake, hold, &wake);
  object.Set("wake", wake);
  object.Set("stats", Napi::Function::New(env, JS_guarded<JS_stats>, "stats", hold));
  object.Set("release", Napi::Function::New(env, JS_guarded<JS_release>, "release", hold));
  const auto finalize = [](napi_env, void* data, void* once) {
    if (!IsFirstFinalize(once)) return;
    auto* const dead = static_cast<ModelHold*>(data);
    dead->thread->holds.erase(dead);
    // Freeing a model takes long, and must not block the garbage collector.
    dead->End();
    delete dead;
  };
  // Deno runs the finalizers of AddFinalizer only when it exits, so napi_wrap is used.
  napi_wrap(env, object, hold, finalize, NewFinalizeOnce(), nullptr);
  return object;
}

}  // namespace millrace
