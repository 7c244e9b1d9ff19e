// Work that functions of the addon do on a thread of the runtime's pool.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "addon/codec_values.h"
#include "addon/convert.h"
#include "batching/status.h"

namespace millrace {

// Memory that is not cleared before it is written.
struct Memory {
  explicit Memory(size_t size) : bytes(std::make_unique_for_overwrite<std::byte[]>(size)) {}
  std::unique_ptr<std::byte[]> bytes;
};

// Returns an ArrayBuffer over memory that `owner` holds, or over a copy if the runtime allows no external memory.
template <typename Owner>
napi_value ToBuffer(napi_env env, std::unique_ptr<Owner> owner, const void* data, size_t size) {
  napi_value buffer = nullptr;
  const auto finalize = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
  if (size != 0 && napi_create_external_arraybuffer(env, const_cast<void*>(data), size, finalize,
                                                    owner.get(), &buffer) == napi_ok) {
    (void)owner.release();
    return buffer;
  }
  return CopyToBuffer(env, data, size);
}

// Returns an ArrayBuffer over the elements, or as above.
template <typename Element>
napi_value ToBuffer(napi_env env, std::vector<Element> elements) {
  auto owner = std::make_unique<std::vector<Element>>(std::move(elements));
  const std::vector<Element>& owned = *owner;
  return ToBuffer(env, std::move(owner), owned.data(), owned.size() * sizeof(Element));
}

// Work on another thread whose outcome settles a promise.
class AsyncTask {
 public:
  virtual ~AsyncTask() {
    for (const napi_ref reference : kept_) {
      if (reference != nullptr) napi_delete_reference(env_, reference);
    }
    if (work_ != nullptr) napi_delete_async_work(env_, work_);
  }
  AsyncTask(const AsyncTask&) = delete;
  AsyncTask& operator=(const AsyncTask&) = delete;

  // Does the work, on a thread of the runtime's pool.
  virtual Status Run() = 0;
  // Returns the value of the promise. Called on the JavaScript thread after Run succeeded. Returns null if an
  // exception is pending.
  virtual napi_value Result(napi_env env) = 0;

  // Keeps a value, whose memory Run reads, alive until the promise settles. Throws std::bad_alloc.
  void Keep(napi_value value) {
    napi_ref& reference = kept_.emplace_back(nullptr);
    if (napi_create_reference(env_, value, 1, &reference) != napi_ok) throw std::bad_alloc();
  }

  // Starts the task and returns its promise. Throws a JavaScript exception if the task cannot be started.
  static napi_value Start(napi_env env, std::unique_ptr<AsyncTask> task) {
    napi_value promise = nullptr;
    const napi_value name = ToText(env, "millrace");
    if (napi_create_async_work(env, nullptr, name, Execute, Complete, task.get(), &task->work_) !=
            napi_ok ||
        napi_create_promise(env, &task->deferred_, &promise) != napi_ok ||
        napi_queue_async_work(env, task->work_) != napi_ok) {
      return Refuse(env, Status::Of(Code::kInternal, "The work cannot be started on another thread"));
    }
    (void)task.release();
    return promise;
  }

 protected:
  explicit AsyncTask(napi_env env) noexcept : env_(env) {}

 private:
  static void Execute(napi_env, void* data) {
    auto& task = *static_cast<AsyncTask*>(data);
    try {
      task.outcome_ = task.Run();
    } catch (const std::bad_alloc&) {
      task.outcome_ = OutOfMemory();
    } catch (const std::exception& error) {
      task.outcome_ = Status::Of(Code::kInternal, error.what());
    }
  }

  static void Complete(napi_env env, napi_status status, void* data) {
    const std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
    if (status != napi_ok) {
      task->outcome_ = Status::Of(Code::kCancelled, "The runtime ended before the work began");
    }
    const napi_value result = Guard(env, [&]() -> napi_value {
      return task->outcome_.ok() ? task->Result(env) : Refuse(env, task->outcome_);
    });
    if (result != nullptr) {
      napi_resolve_deferred(env, task->deferred_, result);
    } else {
      napi_value error = nullptr;
      napi_get_and_clear_last_exception(env, &error);
      napi_reject_deferred(env, task->deferred_, error);
    }
  }

  const napi_env env_;
  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
  std::vector<napi_ref> kept_;
  Status outcome_;
};

}  // namespace millrace
