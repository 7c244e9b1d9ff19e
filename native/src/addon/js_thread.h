// The native part of a JavaScript thread: its request records, and how finished requests reach it.
#pragma once

#include <node_api.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "addon/core.h"
#include "addon/generation_calls.h"
#include "batching/inbox.h"
#include "batching/open_count.h"
#include "batching/request.h"

namespace millrace {

class JsThread;

// The hold of a JavaScript object on something that must be released when the environment ends.
class ThreadHold {
 public:
  virtual ~ThreadHold() = default;
  // Releases it, if it is not released yet.
  virtual void End() noexcept = 0;
};

// What the methods of a JavaScript model object share; see model.cc.
struct ModelHold final : ThreadHold {
  ModelHold(std::shared_ptr<JsThread> own, std::shared_ptr<LoadedModel> loaded);
  void End() noexcept override;

  std::shared_ptr<JsThread> thread;
  std::shared_ptr<LoadedModel> model;  // null once released
  // Used for inline runs.
  std::unique_ptr<RunHandle> handle;
  Staging staging;
};

// THREADS Any thread may call Finish, FailEarly, Tell, FailGenerationEarly and Post. Only the JavaScript thread calls the
// other methods.
//
// LIFE It is attached from Attach until the environment is torn down or Detach is called. Requests that finish later
// are dropped. The object keeps itself alive while it is attached, because the environment calls it back, and while a
// request or a generation is in flight, because other threads write to its records.
//
// WAKE-UPS The thread-safe function passes no data. It is called each time the list of finished requests, or that of
// news of generations, becomes non-empty, so that a batch or a step wakes a thread at most once, and one wake-up delivers
// whatever is in either list by then. Neither the JavaScript thread nor the threads that finish requests or post events
// wait for each other: the lists are lock-free, and `callers_` counts the threads that are about to call the thread-safe
// function.
class JsThread final : public CompletionSink {
 public:
  // The number of doubles in the mailbox; see addon/mailbox_layout.h.
  static constexpr size_t kMailboxWords = 8192;

  explicit JsThread(Core& shared) : core(shared) {}
  ~JsThread() override;

  // Creates the mailbox and the thread-safe function. It calls `on_ready()`, and
  // `on_early(slot, code, message, generation)` for requests and generations that fail early. On failure it throws a
  // JavaScript exception and returns false.
  bool Attach(napi_env env, napi_value on_ready, napi_value on_early, napi_value* mailbox);
  // Stops all callbacks. Idempotent. The environment's clean-up hook calls it too.
  void Detach() noexcept;

  // Returns a free record, or nullptr if this thread has too many requests in flight.
  Request* Acquire();
  // Frees a record that was not submitted, or whose JavaScript thread is detached.
  void Return(Request* request) noexcept;
  // Keeps the event loop alive for a record that has been submitted until it is released.
  void Submitted() noexcept;
  // Lets the next drain deliver a record that already has its outcome.
  void Done(Request* request) noexcept { finished_.Push(request, request); }
  // Frees a record whose result has been delivered.
  void Release(Request* request) noexcept;
  // Returns the record of a slot, which must be in flight, or nullptr if there is no such slot.
  Request* At(uint32_t slot) noexcept;
  // Takes the finished requests, oldest first. Each must be released after it has been delivered.
  Request* TakeFinished() noexcept { return finished_.TakeAll(); }

  // Frees the record of a generation whose end has been delivered. One in `generations` counts as submitted after
  // Submitted().
  void Release(const GenerationCall* call) noexcept;
  // Lists the generations that have news in `generations`.
  void TakeNews() noexcept { generations.Note(news_.TakeAll()); }

  // Keeps the event loop alive until Unhold, for work that is not a request.
  void Hold() noexcept;
  void Unhold() noexcept;
  // Lets the event loop call `on_ready`.
  void Wake() noexcept;

  // A callback for the JavaScript thread. It is allocated before the work whose end it reports, so that Post needs no
  // memory.
  struct Event {
    explicit Event(std::function<void(napi_env)> own) : run(std::move(own)) {}
    Event* next = nullptr;
    std::function<void(napi_env)> run;
  };
  // Runs `event` on the JavaScript thread, or drops it if the thread is detached by then.
  void Post(std::unique_ptr<Event> event) noexcept;

  void Finish(Request* newest, Request* oldest) noexcept override;
  void FailEarly(uint32_t slot, uint64_t turn, const Status& status) override;

  // Passes on a chain of news, which are linked from the newest to the oldest.
  void Tell(GenerationNews* newest, GenerationNews* oldest) noexcept;
  // Does for a generation what FailEarly does for a request.
  void FailGenerationEarly(uint32_t slot, uint64_t turn, const Status& status);

  Core& core;
  double* mailbox = nullptr;
  // Finished requests already taken from the list but not yet written to the mailbox.
  Request* undelivered = nullptr;
  // Why the last request was refused before it reached the batcher.
  Status refusal;
  // The generations in flight. Guarded by mutex_ after Detach.
  GenerationSlots generations;
  // This thread's holds on models. They end with the environment even if it runs no finalizers.
  std::set<ThreadHold*> holds;

 private:
  static constexpr uint32_t kMaxSlots = 1 << 16;
  // The bytes of payload memory that a free record keeps for its next request.
  static constexpr size_t kKeptPayload = 64 * 1024;

  static void OnWake(napi_env env, napi_value on_ready, void* context, void* data);
  static void OnCleanup(void* self) noexcept;
  void Abandon() noexcept;
  void RevokeBorrows() noexcept;
  void ReapLocked() noexcept;
  // Calls the thread-safe function unless the thread has been detached, in which case it returns false.
  bool Call() noexcept;
  void CallInside() noexcept;
  void ReapChain(Request* request) noexcept;
  void ReapNews() noexcept;
  void CallEarly(uint32_t slot, const Status& status, bool generation);

  napi_env env_ = nullptr;
  napi_ref mailbox_ref_ = nullptr;
  napi_ref on_early_ = nullptr;

  // Used by the JavaScript thread only, and guarded by mutex_ after Detach.
  std::deque<Request> slots_;
  std::vector<uint32_t> free_;
  uint32_t in_flight_ = 0;
  uint32_t held_ = 0;

  static void Drop(Event* events) noexcept;

  Inbox<Request> finished_;
  Inbox<GenerationNews> news_;
  Inbox<Event> events_;

  // Closed when the thread is detached. Other threads use `wake_` and push events only while inside.
  OpenCount<> callers_;
  napi_threadsafe_function wake_ = nullptr;  // set by the JavaScript thread; null when detached

  std::mutex mutex_;                // taken only by Abandon and by requests that finish after it
  std::shared_ptr<JsThread> self_;  // set by Attach, then guarded by mutex_; see LIFE
};

}  // namespace millrace
