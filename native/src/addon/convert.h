// JavaScript values to requests, and answers to JavaScript values.
#pragma once

#include <node_api.h>

#include "addon/js_thread.h"
#include "batching/request.h"
#include "batching/shape_plan.h"
#include "batching/status.h"

namespace millrace {

// Fills `request` from the mailbox (see native/mailbox.ts for its layout) and one JavaScript value per
// input: a typed array of the input's type, or an array of strings. Checks everything that memory
// safety depends on, and makes the masks that were left out. kInvalidArgument with a sentence for what
// fits neither the signature nor the plan.
Status ReadRequest(napi_env env, const double* mail, const Signature& signature,
                   const ShapePlan& plan, bool batched, StagedExecutor* device,
                   const napi_value* values, Request& request);

// Throws a JavaScript Error whose `code` is the name of `code`.
void Throw(napi_env env, Code code, const std::string& message);

const char* CodeName(Code code) noexcept;

}  // namespace millrace
