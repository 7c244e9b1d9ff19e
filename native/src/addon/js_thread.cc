#include "addon/js_thread.h"

#include <thread>
#include <utility>

#include "addon/convert.h"

namespace millrace {
namespace {

std::shared_ptr<JsThread> Share(JsThread* thread) {
  return std::static_pointer_cast<JsThread>(thread->shared_from_this());
}

}  // namespace

ModelHold::ModelHold(std::shared_ptr<JsThread> own, std::shared_ptr<LoadedModel> loaded)
    : thread(std::move(own)), model(std::move(loaded)), handle(model->NewHandle()) {}

void ModelHold::End() noexcept {
  if (model == nullptr) return;
  model->batcher().Wake();
  Core::Retire(std::move(model), nullptr);
}

JsThread::~JsThread() = default;

bool JsThread::Attach(napi_env env, napi_value on_ready, napi_value on_early, napi_value* array) {
  env_ = env;
  void* memory = nullptr;
  napi_value name = nullptr;
  if (napi_create_arraybuffer(env, kMailboxWords * sizeof(double), &memory, array) != napi_ok ||
      napi_create_reference(env, *array, 1, &mailbox_ref_) != napi_ok ||
      napi_create_reference(env, on_early, 1, &on_early_) != napi_ok ||
      napi_create_string_utf8(env, "millrace", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, on_ready, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      OnWake, &wake_) != napi_ok) {
    napi_throw_error(env, "INTERNAL", "Cannot attach the engine to this JavaScript thread");
    return false;
  }
  mailbox = static_cast<double*>(memory);
  napi_unref_threadsafe_function(env, wake_);
  // Hooks run in reverse order, so that this one runs before that of the thread-safe function.
  napi_add_env_cleanup_hook(env, OnCleanup, this);
  // The thread keeps itself alive, because some environments run finalizers before their clean-up hooks.
  self_ = Share(this);
  return true;
}

void JsThread::OnCleanup(void* self) noexcept { static_cast<JsThread*>(self)->Abandon(); }

void JsThread::Detach() noexcept {
  if (wake_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, OnCleanup, this);
  napi_delete_reference(env_, mailbox_ref_);
  napi_delete_reference(env_, on_early_);
  Abandon();
}

void JsThread::Abandon() noexcept {
  if (wake_ == nullptr) return;
  const auto keep = Share(this);
  RevokeBorrows();
  generations.CancelAll();
  {
    // The mutex is held until the records are reaped, so that a thread that finds `callers_` closed continues only
    // after that.
    const std::lock_guard lock(mutex_);
    callers_.Close();
    // Each of the threads inside makes only one call, so this wait is short.
    while (!callers_.Empty()) std::this_thread::yield();
    napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
    mailbox = nullptr;
    ReapChain(std::exchange(undelivered, nullptr));
    ReapLocked();
  }
  // The mutex is not held here: a model may be freed on this thread, which then waits for its workers, and they take
  // the mutex.
  Drop(events_.TakeAll());
  for (ThreadHold* hold : std::exchange(holds, {})) hold->End();
}

// Ends the borrows of memory, because the memory is freed with the environment. A worker that is reading it finishes
// its copy first.
void JsThread::RevokeBorrows() noexcept {
  for (Request& request : slots_) {
    request.cancelled.store(true, std::memory_order_relaxed);
    while (!request.borrow.TryRevoke()) std::this_thread::yield();
  }
}

void JsThread::FailEarly(uint32_t slot, uint64_t turn, const Status& status) {
  Post(std::make_unique<Event>([thread = Share(this), slot, turn, status](napi_env) {
    // The record may be used by another request by now.
    if (thread->wake_ == nullptr || thread->slots_[slot].turn != turn) return;
    thread->CallEarly(slot, status, false);
  }));
}

void JsThread::FailGenerationEarly(uint32_t slot, uint64_t turn, const Status& status) {
  Post(std::make_unique<Event>([thread = Share(this), slot, turn, status](napi_env) {
    if (thread->wake_ == nullptr) return;
    const GenerationCall* const call = thread->generations.At(slot);
    if (call != nullptr && call->turn == turn) thread->CallEarly(slot, status, true);
  }));
}

void JsThread::CallEarly(uint32_t slot, const Status& status, bool generation) {
  napi_value on_early = nullptr;
  napi_value undefined = nullptr;
  napi_value arguments[4];
  napi_get_reference_value(env_, on_early_, &on_early);
  napi_get_undefined(env_, &undefined);
  napi_create_uint32(env_, slot, &arguments[0]);
  napi_create_uint32(env_, static_cast<uint32_t>(status.code()), &arguments[1]);
  napi_create_string_utf8(env_, status.message().data(), status.message().size(), &arguments[2]);
  napi_get_boolean(env_, generation, &arguments[3]);
  napi_call_function(env_, undefined, on_early, 4, arguments, nullptr);
}

Request* JsThread::Acquire() {
  if (free_.empty()) {
    if (slots_.size() == kMaxSlots) return nullptr;
    // Space is reserved here, so that Return needs no memory.
    if (free_.capacity() <= slots_.size()) free_.reserve(2 * slots_.size() + 1);
    Request& fresh = slots_.emplace_back();
    fresh.sink = this;
    fresh.slot = static_cast<uint32_t>(slots_.size() - 1);
    return &fresh;
  }
  Request* const request = &slots_[free_.back()];
  free_.pop_back();
  ++request->turn;
  return request;
}

void JsThread::Submitted() noexcept {
  ++in_flight_;
  Hold();
}

void JsThread::Release(Request* request) noexcept {
  Return(request);
  --in_flight_;
  Unhold();
}

void JsThread::Return(Request* request) noexcept {
  for (Input& input : request->inputs) {
    input.strings.clear();
    if (input.strings.capacity() * sizeof(std::string) > kKeptPayload) {
      input.strings = std::vector<std::string>();
    }
    input.pinned.reset();
    if (input.capacity > kKeptPayload) {
      input.copy.reset();
      input.capacity = 0;
    }
  }
  request->outputs.reset();
  request->pooling.reset();
  request->status = {};
  request->other_rows = false;
  request->deadline = kNever;
  request->cancelled.store(false, std::memory_order_relaxed);
  request->borrow.Reset(false);
  free_.push_back(request->slot);
}

void JsThread::Release(const GenerationCall* call) noexcept {
  generations.Remove(call);
  --in_flight_;
  Unhold();
}

Request* JsThread::At(uint32_t slot) noexcept {
  return slot < slots_.size() ? &slots_[slot] : nullptr;
}

void JsThread::Hold() noexcept {
  if (held_++ == 0 && wake_ != nullptr) napi_ref_threadsafe_function(env_, wake_);
}

void JsThread::Unhold() noexcept {
  if (--held_ == 0 && wake_ != nullptr) napi_unref_threadsafe_function(env_, wake_);
}

void JsThread::Post(std::unique_ptr<Event> event) noexcept {
  // The event is pushed between Enter and Leave, so that Abandon finds all events in the list.
  if (!callers_.Enter()) return;
  Event* const pushed = event.release();
  events_.Push(pushed, pushed);
  CallInside();
  callers_.Leave();
}

void JsThread::Drop(Event* events) noexcept {
  while (events != nullptr) delete std::exchange(events, events->next);
}

void JsThread::Finish(Request* newest, Request* oldest) noexcept {
  if (finished_.Push(newest, oldest)) Wake();
}

void JsThread::Tell(GenerationNews* newest, GenerationNews* oldest) noexcept {
  if (news_.Push(newest, oldest)) Wake();
}

void JsThread::Wake() noexcept {
  if (Call()) return;
  std::shared_ptr<JsThread> last;
  const std::lock_guard lock(mutex_);
  last = self_;  // destroyed after the lock is released, because it may be the last reference
  ReapLocked();
}

bool JsThread::Call() noexcept {
  if (!callers_.Enter()) return false;
  CallInside();
  callers_.Leave();
  return true;
}

void JsThread::CallInside() noexcept {
  // A Worker thread that still runs while the process exits would report terminated runs as errors of its own.
  if (core.library.gate->closed()) return;
  napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void JsThread::ReapLocked() noexcept {
  ReapChain(finished_.TakeAll());
  ReapNews();
  if (in_flight_ == 0) self_.reset();
}

// Drops requests for which nobody waits any more.
void JsThread::ReapChain(Request* request) noexcept {
  while (request != nullptr) {
    Request* const next = request->next;
    Return(request);
    --in_flight_;
    request = next;
  }
}

// Drops generations that have ended, and for whose ends nobody waits any more.
void JsThread::ReapNews() noexcept {
  generations.Note(news_.TakeAll());
  in_flight_ -= generations.RemoveEnded();
}

void JsThread::OnWake(napi_env env, napi_value on_ready, void* context, void*) {
  if (env == nullptr) return;  // the function was aborted; `context` may have been freed
  const auto thread = Share(static_cast<JsThread*>(context));
  if (thread->wake_ == nullptr) return;
  for (Event* event = thread->events_.TakeAll(); event != nullptr;) {
    const std::unique_ptr<Event> taken(std::exchange(event, event->next));
    Guard(env, [&]() -> napi_value {
      taken->run(env);
      return nullptr;
    });
  }
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  napi_call_function(env, undefined, on_ready, 0, nullptr, nullptr);
}

}  // namespace millrace
