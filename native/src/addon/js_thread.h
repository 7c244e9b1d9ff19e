// One JavaScript thread's end of the engine: its request records and the way answers reach it.
#pragma once

#include <node_api.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "addon/core.h"
#include "batching/inbox.h"
#include "batching/open_count.h"
#include "batching/request.h"

namespace millrace {

class JsThread;

// What the methods of one wrapped model share; see model.cc.
struct ModelHold {
  std::shared_ptr<JsThread> thread;
  std::shared_ptr<LoadedModel> model;  // null once released
  // For runs on the JavaScript thread itself.
  std::unique_ptr<RunHandle> handle;
  Staging staging;
};

// THREADS The JavaScript thread calls everything but Finish and Post, which any thread may call.
//
// LIFE Attached from Attach until the environment is torn down or Detach is called. A detached thread
// drops what still finishes. It keeps itself alive until both are over: being attached, since the
// environment calls it back, and its last request, since workers write to its records.
//
// WAKE-UPS The thread-safe function carries nothing. It is called once for each time the list of
// finished requests becomes non-empty, so a batch costs its thread one wake-up at most.
// The thread waits for nobody who finishes a request or posts an event, and they do not wait for it or for
// each other: both lists are lock-free, and `callers_` counts who is about to call the thread-safe function.
class JsThread final : public CompletionSink {
 public:
  // Doubles of the mailbox: an array both sides know, through which a call passes its arguments and
  // answers without a Node-API call for each.
  static constexpr size_t kMailboxWords = 8192;

  explicit JsThread(Core& shared) : core(shared) {}
  ~JsThread() override;

  // Creates the mailbox and the thread-safe function that calls `on_ready()`, and `on_early(slot, code,
  // message)` for requests that are answered before they are finished. False with a pending
  // JavaScript exception on failure.
  bool Attach(napi_env env, napi_value on_ready, napi_value on_early, napi_value* mailbox);
  // Stops deliveries. Idempotent. The environment's clean-up hook does it too.
  void Detach() noexcept;

  // A free record, or nullptr if this thread has too many requests in flight.
  Request* Acquire();
  // Gives a record back that was not submitted.
  void Return(Request* request) noexcept;
  // The record is on its way to a worker: the event loop stays alive until it is back.
  void Submitted() noexcept;
  // The record has an outcome already: the next drain delivers it.
  void Done(Request* request) noexcept { finished_.Push(request, request); }
  // Gives back a record whose answer has been delivered.
  void Release(Request* request) noexcept;
  // The record of a slot in flight; nullptr if there is none.
  Request* At(uint32_t slot) noexcept;
  // Finished requests, oldest first; each is to be released once it is delivered.
  Request* TakeFinished() noexcept { return finished_.TakeAll(); }

  // Keeps the event loop alive for work that is not a request.
  void Hold() noexcept;
  void Unhold() noexcept;
  // Has `on_ready` called from the event loop.
  void CallSoon() noexcept { Wake(); }
  // Runs `event` on the JavaScript thread, or never if the thread is detached by then.
  void Post(std::function<void(napi_env)> event);

  void Finish(Request* newest, Request* oldest) noexcept override;
  void AnswerEarly(uint32_t slot, uint64_t turn, const Status& status) override;

  Core& core;
  double* mailbox = nullptr;
  // Finished requests already taken from the list but not yet written to the mailbox.
  Request* undelivered = nullptr;
  // Why the last request was refused before it reached the batcher.
  Status refusal;
  // This thread's holds on models; they end with the environment even where it runs no finalizers.
  std::set<ModelHold*> holds;

 private:
  static constexpr uint32_t kMaxSlots = 1 << 16;
  // Payload memory a free record keeps for its next request.
  static constexpr size_t kKeptPayload = 64 * 1024;

  static void OnWake(napi_env env, napi_value on_ready, void* context, void* data);
  static void OnCleanup(void* self) noexcept;
  void Abandon() noexcept;
  void Wake() noexcept;
  void Recycle(Request* request) noexcept;
  void RevokeBorrows() noexcept;
  void ReapLocked() noexcept;
  // Calls the thread-safe function unless the thread has been detached, in which case it returns false.
  bool Call() noexcept;
  void CallInside() noexcept;
  void ReapChain(Request* request) noexcept;

  napi_env env_ = nullptr;
  napi_ref mailbox_ref_ = nullptr;
  napi_ref on_early_ = nullptr;

  // The JavaScript thread's, and after Detach guarded by mutex_.
  std::deque<Request> slots_;
  std::vector<uint32_t> free_;
  uint32_t in_flight_ = 0;
  uint32_t held_ = 0;

  struct Event {
    Event* next = nullptr;
    std::function<void(napi_env)> run;
  };
  static void Drop(Event* events) noexcept;

  Inbox<Request> finished_;
  Inbox<Event> events_;

  // Closed when the thread is detached. Other threads use `wake_` and push events only while inside.
  OpenCount<> callers_;
  napi_threadsafe_function wake_ = nullptr;  // the JavaScript thread's; null when detached

  std::mutex mutex_;                // taken by Abandon and by what finishes after it, nobody else
  std::shared_ptr<JsThread> self_;  // guarded by mutex_ from then on; see LIFE
};

}  // namespace millrace
