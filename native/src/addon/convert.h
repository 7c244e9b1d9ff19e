// Converts JavaScript values to requests, and error codes to JavaScript errors.
#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <span>
#include <string>

#include "addon/js_thread.h"
#include "addon/node_addon_api.h"
#include "batching/request.h"
#include "batching/shape_plan.h"
#include "batching/status.h"

namespace millrace {

// Fills `request` from the mailbox (see addon/mailbox_layout.h) and from one JavaScript value for each
// input: a typed array of the input's type, its bytes as a Uint8Array, or an array of strings. Checks
// everything that memory safety depends on, and makes the masks that the request leaves out. Returns
// kInvalidArgument with a sentence for the client if an input does not fit the signature or the plan. An input whose flags
// have kInputPixels fits the one of `pixel_specs`, which has one for each input, instead.
Status ReadRequest(napi_env env, const double* mail, const Signature& signature,
                   std::span<const TensorSpec> pixel_specs, const ShapePlan& plan, bool batched,
                   StagedExecutor* device, const napi_value* values, Request& request);

// Reads what submit() gets after the inputs if an output is to be pooled: int32 words, which are the number of the output, the
// number of modes, the modes, and two tokens for each row. Returns kInvalidArgument if it is something else.
Status ReadPooling(napi_env env, napi_value value, size_t outputs, Request& request);

// Returns the time that is `timeout` nanoseconds from now, or kNever for a negative or very long timeout.
Nanos DeadlineAfter(double timeout) noexcept;

// Adds a function to a JavaScript object. The function gets `data` from napi_get_cb_info.
void AddFunction(napi_env env, napi_value object, const char* name, napi_callback function,
                 void* data = nullptr);

// Returns the memory of a typed array, and an empty span for anything else.
std::span<std::byte> BytesOf(napi_env env, napi_value value) noexcept;

// Throws a JavaScript Error whose `code` is the name of `code`.
void Throw(napi_env env, Code code, const std::string& message);

// Throws the status as a JavaScript exception, which replaces one that is already pending, and returns null.
napi_value Refuse(napi_env env, const Status& status);

inline constexpr const char* kOutOfMemory = "Out of memory: send less at a time";
inline Status OutOfMemory() noexcept { return Status::Of(Code::kResourceExhausted, kOutOfMemory); }

// Runs the body of a function that JavaScript calls, and turns C++ exceptions into JavaScript exceptions: they must not pass
// through the runtime. In an environment that is closed nobody sees the result.
template <typename Body>
napi_value Guard(napi_env env, Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Refuse(env, OutOfMemory());
  } catch (const EnvironmentClosed&) {
    return nullptr;
  } catch (const std::exception& error) {
    return Refuse(env, Status::Of(Code::kInternal, error.what()));
  }
}

// Wraps a function that JavaScript calls in Guard.
template <napi_callback Function>
napi_value JS_guarded(napi_env env, napi_callback_info info) {
  return Guard(env, [&] { return Function(env, info); });
}
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
Napi::Value JS_guarded(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return {env, Guard(env, [&]() -> napi_value { return Function(info); })};
}

// Returns the name of a code in MillraceErrorCode, or "OK".
const char* CodeName(Code code) noexcept;

}  // namespace millrace
