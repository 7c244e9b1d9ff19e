#include "addon/completion.h"

#include <optional>
#include <span>
#include <string>

#include "addon/codec_values.h"
#include "addon/convert.h"
#include "addon/mailbox_layout.h"
#include "addon/thread_call.h"
#include "batching/padding.h"
#include "codec/packed_strings.h"
#include "codec/utf8.h"

namespace millrace {
namespace {

// Outputs of a request are written to the mailbox, up to this many bytes in all; JavaScript fetches the others with
// take().
constexpr size_t kInlineBytes = 4096;

// Decides for each output whether its elements are written to the mailbox.
class InlineBudget {
 public:
  bool Takes(const TensorView& view) noexcept {
    if (view.type == ElementType::kString || view.bytes > left_) return false;
    left_ -= view.bytes;
    return true;
  }

 private:
  size_t left_ = kInlineBytes;
};

constexpr size_t WordsOf(size_t bytes) noexcept {
  return (bytes + sizeof(double) - 1) / sizeof(double);
}

// Returns the number of words of the longest record of a request with this many outputs, each of which may be padded to
// a whole word.
constexpr size_t MaxRecordWords(size_t outputs) noexcept {
  return kRecordWords + outputs * (kOutputWords + kMaxRank + 1) + WordsOf(kInlineBytes);
}
static_assert(MaxRecordWords(LoadedModel::kMaxTensors) <= JsThread::kMailboxWords);

// Writes the record of `request` at `word` (see addon/mailbox_layout.h) and returns the word after it.
// `retained` becomes true if JavaScript still needs the request and will release it.
size_t WriteRecord(const Request& request, double* mail, size_t word, bool& retained) noexcept {
  double* const header = mail + word;
  word += kRecordWords;
  retained = !request.status.ok();
  size_t outputs = 0;
  InlineBudget budget;
  if (request.outputs != nullptr) {
    outputs = request.outputs->tensors.size();
    for (size_t i = 0; i < outputs; ++i) {
      const Slice slice = OwnSlice(request, i);
      const TensorView& view = slice.view;
      const bool in_record = budget.Takes(view);
      retained = retained || !in_record;
      mail[word + kOutputBytes] = in_record ? static_cast<double>(view.bytes) : kOutputFetched;
      mail[word + kOutputRank] = view.shape.rank;
      word += kOutputWords;
      for (const int64_t size : view.shape.view()) mail[word++] = static_cast<double>(size);
      if (in_record && view.bytes != 0) {
        CopyOut(slice, reinterpret_cast<std::byte*>(mail + word));
        word += WordsOf(view.bytes);
      }
    }
  }
  header[kRecordSlot] = request.slot;
  header[kRecordCode] = static_cast<double>(request.status.code());
  header[kRecordFlags] = (retained ? kFlagRetained : 0) + (request.other_rows ? kFlagOtherRows : 0);
  header[kRecordRows] = static_cast<double>(request.batch_rows);
  header[kRecordRequests] = request.batch_requests;
  header[kRecordQueueMs] = Milliseconds(request.started - request.submitted);
  header[kRecordComputeMs] = Milliseconds(request.finished - request.started);
  header[kRecordOutputs] = static_cast<double>(outputs);
  header[kRecordLength] = static_cast<double>(mail + word - header);
  return word;
}

// drain(): number
// Writes the records of finished requests to the mailbox, as many as fit, and returns their number.
// Call again until it is 0.
napi_value JS_drain(napi_env env, napi_callback_info info) {
  JsThread& thread = ThreadOf(env, info, 0, nullptr);
  uint32_t records = 0;
  size_t word = 0;
  while (thread.mailbox != nullptr) {
    if (thread.undelivered == nullptr) thread.undelivered = thread.TakeFinished();
    Request* const request = thread.undelivered;
    if (request == nullptr) break;
    const size_t outputs = request->outputs != nullptr ? request->outputs->tensors.size() : 0;
    if (word + MaxRecordWords(outputs) > JsThread::kMailboxWords) break;
    thread.undelivered = request->next;
    bool retained = false;
    word = WriteRecord(*request, thread.mailbox, word, retained);
    ++records;
    if (!retained) thread.Release(request);
  }
  napi_value result = nullptr;
  napi_create_uint32(env, records, &result);
  return result;
}

// Returns the request of a slot, which drain() must have reported as retained. Throws and returns null if there is no
// such slot.
Request* Retained(napi_env env, JsThread& thread, napi_value slot) {
  Request* const request = thread.At(ToUint32(env, slot));
  if (request == nullptr) Throw(env, Code::kInternal, "There is no such request");
  return request;
}

// Returns an output of a retained request. Throws and returns nothing if there is none.
std::optional<Slice> RetainedOutput(napi_env env, JsThread& thread, const napi_value* arguments) {
  const Request* const request = Retained(env, thread, arguments[0]);
  if (request == nullptr) return {};
  const uint32_t index = ToUint32(env, arguments[1]);
  if (request->outputs != nullptr && index < request->outputs->tensors.size()) {
    return OwnSlice(*request, index);
  }
  Throw(env, Code::kInternal, "There is no such output");
  return {};
}

// Calls visit(index, string) for each string of an output, in ascending order.
template <class Visit>
void ForEachString(const Slice& slice, Visit&& visit) {
  ForEachRun(slice.view.shape, *slice.outer, [&](size_t to, size_t from, size_t count) {
    for (size_t i = 0; i < count; ++i) visit(to + i, slice.view.strings[from + i]);
  });
}

// take(slot, output, array): void
// Copies an output into a typed array of its size.
napi_value JS_take(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  JsThread& thread = ThreadOf(env, info, 3, arguments);
  const auto slice = RetainedOutput(env, thread, arguments);
  if (!slice) return nullptr;
  const std::span<std::byte> target = BytesOf(env, arguments[2]);
  if (target.size() == slice->view.bytes) {
    CopyOut(*slice, target.data());
  } else {
    Throw(env, Code::kInternal, "The output does not fit the array");
  }
  return nullptr;
}

// strings(slot, output): string[] | null
// Returns the strings of an output, or null if one of them is not UTF-8.
napi_value JS_strings(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  JsThread& thread = ThreadOf(env, info, 2, arguments);
  const auto slice = RetainedOutput(env, thread, arguments);
  if (!slice) return nullptr;
  napi_value array = nullptr;
  napi_create_array_with_length(
      env, static_cast<size_t>(slice->view.shape.Elements().value_or(0)), &array);
  bool valid = true;
  ForEachString(*slice, [&](size_t index, const std::string& own) {
    valid = valid && IsUtf8(own);
    if (valid) SetString(env, array, index, own);
  });
  if (!valid) napi_get_null(env, &array);
  return array;
}

// packedStrings(slot, output): ArrayBuffer
// Returns the strings of an output, which may be any bytes, as codec/packed_strings.h describes.
napi_value JS_packedStrings(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  JsThread& thread = ThreadOf(env, info, 2, arguments);
  const auto slice = RetainedOutput(env, thread, arguments);
  if (!slice) return nullptr;
  size_t bytes = 0;
  ForEachString(*slice, [&](size_t, const std::string& own) { bytes += kPackedLength + own.size(); });
  void* memory = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_arraybuffer(env, bytes, &memory, &buffer) != napi_ok) {
    Throw(env, Code::kResourceExhausted, "The strings do not fit into memory: send fewer rows");
    return nullptr;
  }
  auto* at = static_cast<std::byte*>(memory);
  ForEachString(*slice, [&](size_t, const std::string& own) { at = PackString(own, at); });
  return buffer;
}

// message(slot): string
// Returns why a request failed or, without a slot, why the last submit was refused.
Napi::Value JS_message(const Napi::CallbackInfo& info) {
  auto& thread = *static_cast<JsThread*>(info.Data());
  const Status* status = &thread.refusal;
  if (info[0].IsNumber()) {
    const Request* const request = thread.At(info[0].As<Napi::Number>().Uint32Value());
    if (request != nullptr) status = &request->status;
  }
  return Napi::String::New(info.Env(), status->message());
}

// cancel(slot): void
// Drops the request if no worker has taken it yet. drain() returns its record in any case.
napi_value JS_cancel(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  JsThread& thread = ThreadOf(env, info, 1, arguments);
  if (Request* const request = thread.At(ToUint32(env, arguments[0]))) {
    request->cancelled.store(true, std::memory_order_relaxed);
  }
  return nullptr;
}

// callSoon(): void
// Lets the event loop call onReady.
napi_value JS_callSoon(napi_env env, napi_callback_info info) {
  ThreadOf(env, info, 0, nullptr).Wake();
  return nullptr;
}

// release(slot): void
// Frees the record of a retained request.
napi_value JS_release(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  JsThread& thread = ThreadOf(env, info, 1, arguments);
  if (Request* const request = Retained(env, thread, arguments[0])) thread.Release(request);
  return nullptr;
}

}  // namespace

void AddCompletion(Napi::Env env, Napi::Object engine, JsThread* thread) {
  const auto add = [&](const char* name, napi_callback function) {
    AddFunction(env, engine, name, function, thread);
  };
  add("drain", JS_guarded<JS_drain>);
  add("callSoon", JS_guarded<JS_callSoon>);
  add("take", JS_guarded<JS_take>);
  add("strings", JS_guarded<JS_strings>);
  add("packedStrings", JS_guarded<JS_packedStrings>);
  add("cancel", JS_guarded<JS_cancel>);
  add("release", JS_guarded<JS_release>);
  engine.Set("message", Napi::Function::New(env, JS_guarded<JS_message>, "message", thread));
}

}  // namespace millrace
