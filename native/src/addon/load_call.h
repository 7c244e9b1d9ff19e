// Loads and releases models of any kind on other threads.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "addon/convert.h"
#include "addon/js_thread.h"
#include "addon/node_addon_api.h"
#include "addon/start_thread.h"

namespace millrace {

// Returns an Error whose `code` is the name of the status' code.
inline Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("code", CodeName(status.code()));
  return error;
}

// A load, and its outcome.
template <class Loaded>
struct LoadCall {
  // Runs on the other thread.
  std::function<Status(Core& core, std::shared_ptr<Loaded>& loaded)> load;
  // Makes the JavaScript object, on the JavaScript thread.
  Napi::Object (*wrap)(Napi::Env env, std::shared_ptr<JsThread> thread, std::shared_ptr<Loaded> loaded);
  std::shared_ptr<Loaded> loaded = nullptr;
  Status status = {};

  static Status OutOfMemoryInLoad() noexcept {
    return Status::Of(Code::kResourceExhausted, "Out of memory while loading the model");
  }
  // Returns why a load fails if the system starts no more threads.
  static Status NoThread() noexcept {
    return Status::Of(Code::kResourceExhausted,
                      "The system starts no more threads: load fewer models or set fewer instances");
  }

  void Run(Core& core) {
    try {
      status = load(core, loaded);
    } catch (const std::bad_alloc&) {
      status = OutOfMemoryInLoad();
    } catch (const std::system_error&) {
      status = NoThread();
    }
  }

  void Settle(napi_env env, const std::shared_ptr<JsThread>& thread,
              const Napi::Promise::Deferred& deferred) {
    try {
      if (status.ok()) return deferred.Resolve(wrap(env, thread, std::move(loaded)));
    } catch (const std::bad_alloc&) {
      status = OutOfMemoryInLoad();
    }
    deferred.Reject(ToError(env, status).Value());
  }
};

// Runs the load on a new thread. Returns a promise of the JavaScript object that `wrap` makes.
template <class Loaded>
Napi::Value LoadOnThread(Napi::Env env, const std::shared_ptr<JsThread>& thread, LoadCall<Loaded> own) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto call = std::make_shared<LoadCall<Loaded>>(std::move(own));
  auto loaded = std::make_unique<JsThread::Event>([thread, deferred, call](napi_env raw) {
    thread->Unhold();
    call->Settle(raw, thread, deferred);
  });
  thread->Hold();
  if (!StartThread([thread, call, loaded = std::move(loaded)]() mutable {
        call->Run(thread->core);
        thread->Post(std::move(loaded));
      })) {
    thread->Unhold();
    deferred.Reject(ToError(env, LoadCall<Loaded>::NoThread()).Value());
  }
  return deferred.Promise();
}

// Ends a thread's hold on a model; null if it has ended. Returns a promise that resolves after that and, if it was the last
// hold, after the model has been freed.
inline Napi::Value ReleaseOnThread(Napi::Env env, const std::shared_ptr<JsThread>& thread,
                                   std::shared_ptr<void> model) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (model == nullptr) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  auto released = std::make_unique<JsThread::Event>([thread, deferred](napi_env raw) {
    thread->Unhold();
    deferred.Resolve(Napi::Env(raw).Undefined());
  });
  // The event is shared, because a std::function must be copyable and a unique_ptr is not.
  const auto event = std::make_shared<std::unique_ptr<JsThread::Event>>(std::move(released));
  std::function<void()> done = [thread, event] { thread->Post(std::move(*event)); };
  thread->Hold();
  Core::Retire(std::move(model), std::move(done));
  return deferred.Promise();
}

}  // namespace millrace
