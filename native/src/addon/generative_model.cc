#include "addon/generative_model.h"

#include <new>
#include <utility>

#include "addon/convert.h"
#include "addon/device_report.h"
#include "addon/finalize_once.h"
#include "addon/generation_calls.h"
#include "addon/generation_request.h"
#include "addon/load_call.h"
#include "addon/mailbox_layout.h"
#include "addon/stats_object.h"
#include "addon/thread_call.h"

namespace millrace {
namespace {

// What the methods of a JavaScript object share.
struct GeneratorHold final : ThreadHold {
  GeneratorHold(std::shared_ptr<JsThread> own, std::shared_ptr<LoadedGenerator> loaded)
      : thread(std::move(own)),
        model(std::move(loaded)),
        delivery(std::make_shared<GenerationDelivery>(thread)) {}

  void End() noexcept override {
    if (model == nullptr) return;
    // Submitted generations that wait for the end of the turn are cancelled by now, and need a look.
    model->generator().Wake();
    Core::Retire(std::move(model), nullptr);
  }

  std::shared_ptr<JsThread> thread;
  std::shared_ptr<LoadedGenerator> model;  // null once released
  std::shared_ptr<GenerationDelivery> delivery;
};

// Submits a generation. On success `slot` becomes its slot.
Status Submit(const Napi::CallbackInfo& info, GeneratorHold& hold, uint32_t& slot) {
  JsThread& thread = *hold.thread;
  if (hold.model == nullptr || thread.mailbox == nullptr) {
    return Status::Of(Code::kFailedPrecondition, "The model is closed");
  }
  GenerationCall* const call = thread.generations.Add();
  if (call == nullptr) return Status::Of(Code::kUnavailable, "There are too many generations in flight");
  Status status;
  try {
    ReadGeneration(info[0], info[1].As<Napi::Object>(), *call);
    call->sink = hold.delivery.get();
    call->owner = hold.delivery;
    status = hold.model->generator().Enqueue(call);
  } catch (const std::bad_alloc&) {
    status = OutOfMemory();
  } catch (const EnvironmentClosed&) {
    thread.generations.Remove(call);
    throw;
  }
  if (status.ok()) {
    slot = call->slot;
    thread.Submitted();
  } else {
    thread.generations.Remove(call);
  }
  return status;
}

// generate(inputIds, options): number
// Submits a generation, which a call of wake() must follow. Returns its slot, or the negative number of the code if it is
// refused; message() then returns the reason, and with UNAVAILABLE the mailbox says when to try again (kRetryAfter).
Napi::Value JS_generate(const Napi::CallbackInfo& info) {
  auto& hold = *static_cast<GeneratorHold*>(info.Data());
  JsThread& thread = *hold.thread;
  uint32_t slot = 0;
  Status status = Submit(info, hold, slot);
  if (status.code() == Code::kUnavailable) {
    thread.mailbox[kRetryAfter] = Milliseconds(hold.model->generator().ExpectedWait());
  }
  const auto code = static_cast<int32_t>(status.code());
  thread.refusal = std::move(status);
  return Napi::Number::New(info.Env(), code == 0 ? static_cast<double>(slot) : -code);
}

// wake(): void
// Wakes the generator for the generations that were submitted.
napi_value JS_wakeGenerator(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  auto& hold = *static_cast<GeneratorHold*>(data);
  if (hold.model != nullptr) hold.model->generator().Wake();
  return nullptr;
}

// stats(): GeneratorStats | null
Napi::Value JS_generatorStats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto& hold = *static_cast<GeneratorHold*>(info.Data());
  if (hold.model == nullptr) return env.Null();
  const GeneratorStats stats = hold.model->generator().Stats();
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) {
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
  set("batches", stats.steps + stats.encoder_runs);
  set("rows", stats.rows);
  set("stuckInstances", stats.stuck_instances);
  result.Set("batched", Napi::Boolean::New(env, true));
  result.Set("deviceLost", Napi::Boolean::New(env, !hold.model->healthy()));
  // A generator does not wait for clients that come back, and makes no run on a JavaScript thread.
  for (const char* name :
       {"returningShare", "arrivalsPerSecond", "heldBack", "inlineRuns", "inlineLimitMs"}) {
    set(name, 0);
  }
  set("expectedWaitMs", Milliseconds(stats.expected_wait));
  result.Set("costs", Napi::Array::New(env));
  result.Set("sizes", ToArray(env, stats.sizes));
  result.Set("answered", ToObject(env, stats.completed_runs));
  set("lastRunAt", stats.last_run / 1'000'000);
  result.Set("queue", ToObject(env, stats.queue));
  result.Set("compute", ToObject(env, stats.compute));
  set("tokens", stats.tokens);
  set("promptTokens", stats.prompt_tokens);
  set("steps", stats.steps);
  set("cacheBytes", stats.cache_bytes);
  set("cacheBytesLimit", stats.cache_bytes_limit);
  set("cacheBytesPeak", stats.cache_bytes_peak);
  set("copiedBytes", stats.copies.gathered_bytes);
  set("stepsWithoutCopies", stats.copies.reused);
  return result;
}

// release(): Promise<void>
// Ends this thread's hold on the model. Resolves after that and, if it was the last hold, after the model has been freed.
Napi::Value JS_releaseGenerator(const Napi::CallbackInfo& info) {
  auto& hold = *static_cast<GeneratorHold*>(info.Data());
  return ReleaseOnThread(info.Env(), hold.thread, std::move(hold.model));
}

Napi::Object WrapGenerator(Napi::Env env, std::shared_ptr<JsThread> thread,
                           std::shared_ptr<LoadedGenerator> model) {
  Napi::Object object = Napi::Object::New(env);
  const DecoderFacts& facts = model->facts();
  const auto set = [&](const char* name, int64_t value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  object.Set("encoderDecoder", Napi::Boolean::New(env, facts.encoder_decoder));
  object.Set("mixedLengths", Napi::Boolean::New(env, facts.mixed_lengths));
  set("vocabulary", facts.vocabulary);
  set("maxPositions", facts.max_positions);
  set("cacheBytesPerToken", facts.cache_bytes);
  set("intraOpThreads", model->intra_op_threads());
  object.Set("report", ToObject(env, model->report()));

  auto* const hold = new GeneratorHold(std::move(thread), std::move(model));
  hold->thread->holds.insert(hold);
  AddFunction(env, object, "wake", JS_wakeGenerator, hold);
  object.Set("generate", Napi::Function::New(env, JS_guarded<JS_generate>, "generate", hold));
  object.Set("stats", Napi::Function::New(env, JS_guarded<JS_generatorStats>, "stats", hold));
  object.Set("release", Napi::Function::New(env, JS_guarded<JS_releaseGenerator>, "release", hold));
  const auto finalize = [](napi_env, void* data, void* once) {
    if (!IsFirstFinalize(once)) return;
    auto* const dead = static_cast<GeneratorHold*>(data);
    dead->thread->holds.erase(dead);
    dead->End();
    delete dead;
  };
  // Deno runs the finalizers of AddFinalizer only when it exits, so napi_wrap is used.
  napi_wrap(env, object, hold, finalize, NewFinalizeOnce(), nullptr);
  return object;
}

// loadGenerator(options): Promise<NativeGenerator>
// Loads a generative model on another thread.
Napi::Value JS_loadGenerator(const Napi::CallbackInfo& info) {
  const auto request = std::make_shared<const GeneratorLoadRequest>(
      ReadGeneratorLoadRequest(info[0].As<Napi::Object>()));
  LoadCall<LoadedGenerator> call;
  call.load = [request](Core& core, std::shared_ptr<LoadedGenerator>& model) {
    return core.Load(*request, model);
  };
  call.wrap = WrapGenerator;
  return LoadOnThread(info.Env(), *static_cast<std::shared_ptr<JsThread>*>(info.Data()),
                      std::move(call));
}

}  // namespace

void AddLoadGenerator(Napi::Env env, Napi::Object engine, std::shared_ptr<JsThread>* thread) {
  engine.Set("loadGenerator",
             Napi::Function::New(env, JS_guarded<JS_loadGenerator>, "loadGenerator", thread));
}

}  // namespace millrace
