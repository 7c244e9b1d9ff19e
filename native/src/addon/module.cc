// The addon exports open(library, onReady, onEarly, jsThreads), which makes an engine for the calling thread, the codec,
// and the functions on images.
#include <cmath>
#include <memory>
#include <utility>

#include "addon/js_thread.h"
#include "addon/codec.h"
#include "addon/completion.h"
#include "addon/convert.h"
#include "addon/core.h"
#include "addon/detection_calls.h"
#include "addon/generation_drain.h"
#include "addon/generative_model.h"
#include "addon/image_calls.h"
#include "addon/inspect.h"
#include "addon/load_call.h"
#include "addon/load_request.h"
#include "addon/model.h"
#include "addon/finalize_once.h"
#include "addon/node_addon_api.h"
#include "addon/stats_object.h"

namespace millrace {
namespace {

// The state that the functions of an engine object share. The object owns it.
struct EngineHold {
  std::shared_ptr<JsThread> thread;
};

// The longest observation in seconds, about thirty years. In nanoseconds it fits into 64 bits.
constexpr double kLongestSeconds = 1e9;

// load(options): Promise<NativeModel>
// Loads a model on another thread.
Napi::Value JS_load(const Napi::CallbackInfo& info) {
  const auto request =
      std::make_shared<const LoadRequest>(ReadLoadRequest(info[0].As<Napi::Object>()));
  LoadCall<LoadedModel> call;
  call.load = [request](Core& core, std::shared_ptr<LoadedModel>& model) {
    return core.Load(*request, model);
  };
  call.wrap = WrapModel;
  return LoadOnThread(info.Env(), static_cast<EngineHold*>(info.Data())->thread, std::move(call));
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
  AddGenerations(env, engine, thread.get());
  auto* const hold = new EngineHold{std::move(thread)};
  engine.Set("load", Napi::Function::New(env, JS_guarded<JS_load>, "load", hold));
  AddLoadGenerator(env, engine, &hold->thread);
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
    AddImages(env, exports);
    AddDetections(env, exports);
    return nullptr;
  });
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace, Init)

}  // namespace millrace
