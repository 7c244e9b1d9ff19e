// Converts JavaScript values to requests, and codes of errors to JavaScript errors.
#pragma once

#include <node_api.h>

#include "addon/js_thread.h"
#include "batching/request.h"
#include "batching/shape_plan.h"
#include "batching/status.h"

namespace millrace {

// Fills `request` from the mailbox (see addon/mailbox_layout.h) and from one JavaScript value for each
// input: a typed array of the input's type, its bytes as a Uint8Array, or an array of strings. Checks
// everything that memory safety depends on, and makes the masks that the request leaves out. Returns
// kInvalidArgument with a sentence for the client if an input does not fit the signature or the plan.
Status ReadRequest(napi_env env, const double* mail, const Signature& signature,
                   const ShapePlan& plan, bool batched, StagedExecutor* device,
                   const napi_value* values, Request& request);

// Adds a function to a JavaScript object. `data` is what napi_get_cb_info returns to it.
void AddFunction(napi_env env, napi_value object, const char* name, napi_callback function,
                 void* data = nullptr);

// Throws a JavaScript Error whose `code` is the name of `code`.
void Throw(napi_env env, Code code, const std::string& message);

// Returns the name of a code in MillraceErrorCode, or "OK".
const char* CodeName(Code code) noexcept;

}  // namespace millrace
