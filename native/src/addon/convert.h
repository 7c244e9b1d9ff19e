// JavaScript values to requests, and answers to JavaScript values.
#pragma once

#include <node_api.h>

#include "addon/client.h"
#include "batching/request.h"
#include "batching/status.h"

namespace millrace {

// Fills `request` from the mailbox (see native/mailbox.ts for its layout) and one JavaScript value per
// input: a typed array of the input's type, or an array of strings. Checks everything that memory
// safety depends on. kInvalidArgument with a sentence for what does not fit the signature.
Status ReadRequest(napi_env env, const double* mail, const Signature& signature, bool batched,
                   const napi_value* values, Request& request);

// The rows of output `index` that are the request's own.
TensorView OwnRows(const Request& request, size_t index) noexcept;

// Throws a JavaScript Error whose `code` is the name of `code`.
void Throw(napi_env env, Code code, const std::string& message);

const char* CodeName(Code code) noexcept;

}  // namespace millrace
