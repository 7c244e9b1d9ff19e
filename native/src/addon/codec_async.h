// The codec's functions for large bodies. They work on a thread of the runtime's pool, and settle their promises on
// the JavaScript thread.
#pragma once

#include <node_api.h>

namespace millrace {

// parseRequestAsync(...ParseArguments, budget): Promise<[request as parseRequest returns it, bytes taken]>
// The elements of BYTES are [ArrayBuffer of UTF-8, ArrayBuffer of the offsets of their ends], for cutStrings().
// Memory for the elements is taken from the budget of the process, of which `budget` is the limit in bytes; the caller
// has to give it back. Rejects with UNAVAILABLE if the budget is used up. The body must not change until the promise
// settles.
napi_value JS_parseRequestAsync(napi_env env, napi_callback_info info);

// cutStrings(utf8, ends, first, last): string[]
// Returns the strings `first` to `last` (exclusive) of parseRequestAsync. JavaScript fetches them in portions, because
// making all of them at once may block the thread for long.
napi_value JS_cutStrings(napi_env env, napi_callback_info info);

// encodeAsync(nonFinite, ...parts): Promise<ArrayBuffer>
// Concatenates the parts as encode() does. The typed arrays must not change until the promise settles.
napi_value JS_encodeAsync(napi_env env, napi_callback_info info);

}  // namespace millrace
