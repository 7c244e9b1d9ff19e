#include "addon/generation_drain.h"

#include <algorithm>
#include <cstring>

#include "addon/convert.h"
#include "addon/mailbox_layout.h"
#include "addon/thread_call.h"

namespace millrace {
namespace {

static_assert(kFinishStop == static_cast<int>(FinishReason::kStop));
static_assert(kFinishLength == static_cast<int>(FinishReason::kLength));

void WriteEnd(const GenerationCall& call, double* header) noexcept {
  const bool ok = call.status.ok();
  header[kGenerationCode] = static_cast<double>(call.status.code());
  header[kGenerationTokens] = ok ? static_cast<double>(call.tokens.size()) : 0;
  header[kGenerationFinish] = static_cast<double>(call.finish);
  header[kGenerationScore] = static_cast<double>(call.score);
  header[kGenerationQueueMs] = Milliseconds(call.started - call.submitted);
  header[kGenerationPrefillMs] = Milliseconds(call.prefilled - call.started);
  header[kGenerationDecodeMs] = Milliseconds(call.finished - call.prefilled);
  header[kGenerationSteps] = call.steps;
  header[kGenerationRows] = static_cast<double>(call.batch_rows);
  header[kGenerationRequests] = call.batch_requests;
}

// Writes a record of as many new tokens as fit into `words` words, which are more than the header has. The end is
// written with the last tokens. Returns the number of words of the record.
size_t WriteRecord(GenerationCall& call, double* mail, size_t words) noexcept {
  const size_t tokens = std::min(call.known - call.delivered, words - kGenerationWords);
  // The generator may be adding tokens behind those that are known, so nothing but the memory's address is read.
  const int32_t* const from = call.tokens.data() + call.delivered;
  std::copy(from, from + tokens, mail + kGenerationWords);
  call.delivered += tokens;
  mail[kGenerationSlot] = call.slot;
  mail[kGenerationNewTokens] = static_cast<double>(tokens);
  mail[kGenerationCode] = kGenerationRunning;
  if (call.ended && call.delivered == call.known) WriteEnd(call, mail);
  return kGenerationWords + tokens;
}

// drainGenerations(): number
// Writes records of generations with new tokens, and of those that have ended, to the mailbox, as many as fit, and returns
// their number. Call again until it is 0.
napi_value JS_drainGenerations(napi_env env, napi_callback_info info) {
  JsThread& thread = ThreadOf(env, info, 0, nullptr);
  GenerationSlots& generations = thread.generations;
  uint32_t records = 0;
  size_t word = 0;
  if (thread.mailbox != nullptr) {
    thread.TakeNews();
    while (GenerationCall* const call = generations.Ready()) {
      const size_t left = JsThread::kMailboxWords - word;
      if (left <= kGenerationWords) break;
      word += WriteRecord(*call, thread.mailbox + word, left);
      ++records;
      if (call->delivered == call->known) generations.PopReady();
    }
  }
  napi_value result = nullptr;
  napi_create_uint32(env, records, &result);
  return result;
}

// takeGeneration(slot, tokens): string
// Copies the tokens of a generation that has ended into an Int32Array of their number, frees its slot, and returns why it
// failed, or ''.
Napi::Value JS_takeGeneration(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto& thread = *static_cast<JsThread*>(info.Data());
  const GenerationCall* const call = thread.generations.At(ToUint32(env, info[0]));
  if (call == nullptr || !call->ended) {
    Throw(env, Code::kInternal, "There is no such generation");
    return env.Undefined();
  }
  const std::span<std::byte> target = BytesOf(env, info[1]);
  const size_t bytes = std::min(target.size(), call->tokens.size() * sizeof(int32_t));
  if (bytes != 0) std::memcpy(target.data(), call->tokens.data(), bytes);
  const Napi::Value message = Napi::String::New(env, call->status.message());
  thread.Release(call);
  return message;
}

// cancelGeneration(slot): void
// Ends a generation before its next step. drainGenerations() returns its end in any case.
napi_value JS_cancelGeneration(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  JsThread& thread = ThreadOf(env, info, 1, arguments);
  if (GenerationCall* const call = thread.generations.At(ToUint32(env, arguments[0]))) {
    call->cancelled.store(true, std::memory_order_relaxed);
  }
  return nullptr;
}

}  // namespace

void AddGenerations(Napi::Env env, Napi::Object engine, JsThread* thread) {
  AddFunction(env, engine, "drainGenerations", JS_guarded<JS_drainGenerations>, thread);
  AddFunction(env, engine, "cancelGeneration", JS_guarded<JS_cancelGeneration>, thread);
  engine.Set("takeGeneration",
             Napi::Function::New(env, JS_guarded<JS_takeGeneration>, "takeGeneration", thread));
}

}  // namespace millrace
