// The addon exports open(library, onReady, onEarly, jsThreads), which makes an engine for the calling thread, and the
// codec.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

#include "addon/js_thread.h"
#include "addon/codec.h"
#include "addon/completion.h"
#include "addon/convert.h"
#include "addon/core.h"
#include "addon/inspect.h"
#include "addon/model.h"
#include "addon/finalize_once.h"
#include "addon/node_addon_api.h"
#include "addon/start_thread.h"

namespace millrace {
namespace {

// The state that the functions of an engine object share. The object owns it.
struct EngineHold {
  std::shared_ptr<JsThread> thread;
};

// The longest observation in seconds, about thirty years. In nanoseconds it fits into 64 bits.
constexpr double kLongestSeconds = 1e9;

double NumberOr(const Napi::Object& options, const char* name, double fallback) {
  const Napi::Value value = options.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

std::string StringOr(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

// Calls `read(object)` for each object of an array. Anything that is not an array counts as an empty one.
template <class Read>
void ForEachObject(const Napi::Value& value, Read&& read) {
  if (!value.IsArray()) return;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) read(array.Get(i).As<Napi::Object>());
}

std::vector<int64_t> ReadSizes(const Napi::Value& value) {
  std::vector<int64_t> sizes;
  if (!value.IsArray()) return sizes;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    sizes.push_back(array.Get(i).As<Napi::Number>().Int64Value());
  }
  return sizes;
}

std::vector<KnownCost> ReadCosts(const Napi::Value& value) {
  std::vector<KnownCost> costs;
  ForEachObject(value, [&costs](const Napi::Object& object) {
    KnownCost& known = costs.emplace_back();
    known.point = {NumberOr(object, "rows", 0), NumberOr(object, "meanMs", 0) * 1e6,
                   NumberOr(object, "highMs", 0) * 1e6, 1};
    const Napi::Value lengths = object.Get("lengths");
    if (!lengths.IsObject()) return;
    const auto named = lengths.As<Napi::Object>();
    const Napi::Array names = named.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).ToString().Utf8Value();
      known.lengths[name] = static_cast<int64_t>(NumberOr(named, name.c_str(), 0));
    }
  });
  return costs;
}

// See NativePad in native/binding.ts.
Scalar ReadScalar(const Napi::Object& pad) {
  const std::string kind = StringOr(pad, "kind");
  std::string value = StringOr(pad, "value");
  if (kind == "string") return value;
  if (kind == "number") return std::strtod(value.c_str(), nullptr);
  if (value.starts_with('-')) return int64_t{std::strtoll(value.c_str(), nullptr, 10)};
  return uint64_t{std::strtoull(value.c_str(), nullptr, 10)};
}

std::vector<AxisSpec> ReadAxes(const Napi::Value& value) {
  std::vector<AxisSpec> axes;
  ForEachObject(value, [&axes](const Napi::Object& object) {
    AxisSpec& axis = axes.emplace_back();
    axis.name = StringOr(object, "name");
    axis.mask = StringOr(object, "mask");
    axis.lengths = ReadSizes(object.Get("buckets"));
    if (const Napi::Value dimensions = object.Get("dimensions"); dimensions.IsArray()) {
      const auto names = dimensions.As<Napi::Array>();
      for (uint32_t i = 0; i < names.Length(); ++i) {
        axis.dimensions.push_back(names.Get(i).ToString().Utf8Value());
      }
    }
    ForEachObject(object.Get("pads"), [&axis](const Napi::Object& pad) {
      if (pad.Get("input").IsString()) {
        axis.pads[StringOr(pad, "input")] = ReadScalar(pad);
      } else {
        axis.pad = ReadScalar(pad);
      }
    });
  });
  return axes;
}

std::vector<PixelForm> ReadPixels(const Napi::Value& value) {
  std::vector<PixelForm> forms;
  ForEachObject(value, [&forms](const Napi::Object& object) {
    PixelForm& form = forms.emplace_back();
    form.input = StringOr(object, "input");
    form.scale = static_cast<float>(NumberOr(object, "scale", 0));
    form.reverse = NumberOr(object, "reverse", 0) != 0;
    for (auto [name, numbers] : {std::pair("mean", &form.mean), std::pair("std", &form.deviation)}) {
      const auto values = object.Get(name).As<Napi::Float32Array>();
      numbers->assign(values.Data(), values.Data() + values.ElementLength());
    }
  });
  return forms;
}

KeyValues ReadKeyValues(const Napi::Value& value) {
  KeyValues values;
  if (!value.IsObject()) return values;
  const auto object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const Napi::Value name = names.Get(i);
    values.emplace_back(name.ToString().Utf8Value(), object.Get(name).ToString().Utf8Value());
  }
  return values;
}

LoadRequest ReadLoadRequest(const Napi::Object& options) {
  LoadRequest request;
  request.key = StringOr(options, "key");
  request.path = StringOr(options, "path");
  if (const Napi::Value bytes = options.Get("bytes"); bytes.IsTypedArray()) {
    const auto array = bytes.As<Napi::Uint8Array>();
    const auto* const data = reinterpret_cast<const char*>(array.Data());
    request.bytes.assign(data, data + array.ByteLength());
  }
  const double max_rows = NumberOr(options, "maxRows", 64);
  request.max_rows = static_cast<int64_t>(max_rows);
  request.batching = static_cast<BatchingMode>(NumberOr(options, "batching", 0));
  request.policy = static_cast<PolicyKind>(NumberOr(options, "policy", 2));
  request.max_delay = static_cast<Nanos>(NumberOr(options, "maxDelayMs", 0) * 1e6);
  request.max_queue = static_cast<uint32_t>(NumberOr(options, "maxQueue", 1024));
  for (const int64_t most : ReadSizes(options.Get("maxQueueByPriority"))) {
    request.max_queue_by_priority.push_back(static_cast<uint32_t>(most));
  }
  request.instances = static_cast<uint32_t>(NumberOr(options, "instances", 0));
  request.intra_op_threads = static_cast<int>(NumberOr(options, "intraOpThreads", 0));
  request.run_limit = static_cast<Nanos>(NumberOr(options, "runLimitMs", 0) * 1e6);
  request.inline_limit = static_cast<Nanos>(NumberOr(options, "inlineLimitUs", 0) * 1e3);
  request.weight = NumberOr(options, "weight", 1);
  request.warmup = static_cast<Nanos>(NumberOr(options, "warmupMs", 0) * 1e6);
  request.costs = ReadCosts(options.Get("costs"));
  request.axes = ReadAxes(options.Get("axes"));
  request.row_sizes = ReadSizes(options.Get("rowBuckets"));
  if (const double most = NumberOr(options, "maxElements", 0); most > 0) {
    request.max_elements = static_cast<int64_t>(most);
  }
  request.pixels = ReadPixels(options.Get("pixels"));
  request.digest = StringOr(options, "digest");
  request.copy_folder = StringOr(options, "copyFolder");
  request.device.device = StringOr(options, "device");
  request.device.options = ReadKeyValues(options.Get("deviceOptions"));
  request.device.provider_options = ReadKeyValues(options.Get("providerOptions"));
  request.cache_folder = StringOr(options, "cacheFolder");
  request.spin = static_cast<Nanos>(NumberOr(options, "spinUs", 0) * 1e3);
  return request;
}

Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("code", CodeName(status.code()));
  return error;
}

// Returns why a load fails if the system starts no more threads.
Status NoThread() noexcept {
  return Status::Of(Code::kResourceExhausted,
                    "The system starts no more threads: load fewer models or set fewer instances");
}

// A load on another thread, and its outcome.
struct Loading {
  explicit Loading(LoadRequest own) : request(std::move(own)) {}

  void Run(Core& core) {
    try {
      status = core.Load(request, model);
    } catch (const std::bad_alloc&) {
      status = Status::Of(Code::kResourceExhausted, "Out of memory while loading the model");
    } catch (const std::system_error&) {
      status = NoThread();
    }
  }

  const LoadRequest request;
  std::shared_ptr<LoadedModel> model;
  Status status;
};

void Settle(napi_env env, const std::shared_ptr<JsThread>& thread, Loading& loading,
            const Napi::Promise::Deferred& deferred) {
  try {
    if (loading.status.ok()) {
      return deferred.Resolve(WrapModel(env, thread, std::move(loading.model)));
    }
  } catch (const std::bad_alloc&) {
    loading.status = Status::Of(Code::kResourceExhausted, "Out of memory while loading the model");
  }
  deferred.Reject(ToError(env, loading.status).Value());
}

// load(options): Promise<NativeModel>
// Loads a model on another thread.
Napi::Value JS_load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto thread = static_cast<EngineHold*>(info.Data())->thread;
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto loading = std::make_shared<Loading>(ReadLoadRequest(info[0].As<Napi::Object>()));
  auto loaded = std::make_unique<JsThread::Event>([thread, deferred, loading](napi_env raw) {
    thread->Unhold();
    Settle(raw, thread, *loading, deferred);
  });
  thread->Hold();
  if (!StartThread([thread, loading, loaded = std::move(loaded)]() mutable {
        loading->Run(thread->core);
        thread->Post(std::move(loaded));
      })) {
    thread->Unhold();
    deferred.Reject(ToError(env, NoThread()).Value());
  }
  return deferred.Promise();
}

// series(key, bounds): number
// Finds or creates the series of a key.
Napi::Value JS_series(const Napi::CallbackInfo& info) {
  CounterTable& counters = static_cast<EngineHold*>(info.Data())->thread->core.counters;
  std::vector<double> bounds;
  bool valid = info[0].IsString() && info[1].IsArray();
  const auto array = info[1].As<Napi::Array>();
  for (uint32_t i = 0; valid && i < array.Length(); ++i) {
    const Napi::Value bound = array.Get(i);
    const double number = bound.IsNumber() ? bound.As<Napi::Number>().DoubleValue() : NAN;
    // This comparison is also false for NaN.
    valid = number > (bounds.empty() ? -INFINITY : bounds.back());
    bounds.push_back(number);
  }
  if (!valid) {
    Throw(info.Env(), Code::kInvalidArgument,
          "A series needs a string as its key and an array of ascending numbers as its bounds");
    return info.Env().Undefined();
  }
  const size_t number = counters.Series(info[0].As<Napi::String>().Utf8Value(), bounds);
  if (number == CounterTable::kMaxSeries) {
    Throw(info.Env(), Code::kResourceExhausted,
          "There are 4096 series already: use labels with fewer values");
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

// The arguments (series, value) of a function that changes a counter. They are read without the Napi classes, because
// the functions are called for each request.
struct CounterCall {
  CounterCall(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    size_t count = 2;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    napi_get_value_uint32(env, arguments[0], &series);
    value = arguments[1];
    counters = &static_cast<EngineHold*>(data)->thread->core.counters;
  }

  CounterTable* counters = nullptr;
  uint32_t series = UINT32_MAX;  // a series that does not exist
  napi_value value = nullptr;
};

// observe(series, seconds): void
// Records a duration. Ignores NaN, negative numbers and durations beyond kLongestSeconds.
napi_value JS_observe(napi_env env, napi_callback_info info) {
  const CounterCall call(env, info);
  double seconds = 0;
  napi_get_value_double(env, call.value, &seconds);
  if (!(seconds >= 0 && seconds <= kLongestSeconds)) return nullptr;
  call.counters->Observe(call.series, static_cast<Nanos>(seconds * 1e9));
  return nullptr;
}

// add(series, amount): void
// Adds to a series without bounds.
napi_value JS_add(napi_env env, napi_callback_info info) {
  const CounterCall call(env, info);
  int64_t amount = 0;
  napi_get_value_int64(env, call.value, &amount);
  call.counters->Add(call.series, amount);
  return nullptr;
}

// snapshot(): { key, histogram }[]
// Returns all series of the process.
Napi::Value JS_snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto all = static_cast<EngineHold*>(info.Data())->thread->core.counters.Read();
  Napi::Array array = Napi::Array::New(env, all.size());
  for (uint32_t i = 0; i < all.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("key", all[i].first);
    object.Set("histogram", ToObject(env, all[i].second));
    array[i] = object;
  }
  return array;
}

// detach(): void
// Stops all callbacks to this JavaScript thread.
Napi::Value JS_detach(const Napi::CallbackInfo& info) {
  static_cast<EngineHold*>(info.Data())->thread->Detach();
  return info.Env().Undefined();
}

Napi::Object Describe(Napi::Env env, const OrtLibrary& library) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array providers = Napi::Array::New(env, library.providers.size());
  for (uint32_t i = 0; i < library.providers.size(); ++i) {
    providers[i] = Napi::String::New(env, library.providers[i]);
  }
  object.Set("onnxRuntimeVersion", library.version);
  object.Set("library", library.path);
  object.Set("providers", providers);
  return object;
}

// open(library, onReady, onEarly, jsThreads): NativeEngine
// Returns the engine of the calling thread.
Napi::Value JS_open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsString() || !info[1].IsFunction()) {
    Throw(env, Code::kInvalidArgument, "The library is not a path: expected a string");
    return env.Undefined();
  }
  Core* core = nullptr;
  const uint32_t js_threads = info[3].IsNumber() ? info[3].As<Napi::Number>().Uint32Value() : 1;
  const Status status = OpenCore(info[0].As<Napi::String>().Utf8Value(), js_threads, core);
  if (!status.ok()) {
    ToError(env, status).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto thread = std::make_shared<JsThread>(*core);
  napi_value mailbox = nullptr;
  if (!thread->Attach(env, info[1], info[2], &mailbox)) return env.Undefined();

  Napi::Object engine = Napi::Object::New(env);
  engine.Set("info", Describe(env, core->library));
  engine.Set("mailbox", mailbox);
  AddCompletion(env, engine, thread.get());
  auto* const hold = new EngineHold{std::move(thread)};
  engine.Set("load", Napi::Function::New(env, JS_guarded<JS_load>, "load", hold));
  AddInspect(env, engine, &hold->thread);
  engine.Set("series", Napi::Function::New(env, JS_guarded<JS_series>, "series", hold));
  engine.Set("snapshot", Napi::Function::New(env, JS_guarded<JS_snapshot>, "snapshot", hold));
  engine.Set("detach", Napi::Function::New(env, JS_guarded<JS_detach>, "detach", hold));
  AddFunction(env, engine, "observe", JS_guarded<JS_observe>, hold);
  AddFunction(env, engine, "add", JS_guarded<JS_add>, hold);
  const auto finalize = [](napi_env, void* data, void* once) {
    if (IsFirstFinalize(once)) delete static_cast<EngineHold*>(data);
  };
  napi_wrap(env, engine, hold, finalize, NewFinalizeOnce(), nullptr);
  return engine;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Guard(env, [&]() -> napi_value {
    exports.Set("open", Napi::Function::New(env, JS_guarded<JS_open>, "open"));
    AddCodec(env, exports);
    return nullptr;
  });
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace, Init)

}  // namespace millrace
