// The codec's work on large bodies, on a thread of the runtime's pool instead of the JavaScript thread.
#pragma once

#include <node_api.h>

namespace millrace {

// parseRequestAsync(body, headerLength, nonFinite, maxBytes, maxTensors, maxStrings, budget):
//   Promise<[request as parseRequest gives it, bytes taken]>
// The elements of BYTES are [ArrayBuffer of UTF-8, ArrayBuffer of where in it each ends], for cutStrings().
// Memory for elements is taken from the process's budget, which may then hold `budget` bytes at most, and
// is the caller's to give back. Rejects with UNAVAILABLE where the budget has no room.
napi_value JS_parseRequestAsync(napi_env env, napi_callback_info info);

// cutStrings(utf8, ends, first, last): string[]
// Some of the strings of parseRequestAsync: all of them at once may hold the thread for long.
napi_value JS_cutStrings(napi_env env, napi_callback_info info);

// encodeAsync(nonFinite, ...parts): Promise<ArrayBuffer>
// As encode(); the typed arrays must stay as they are until the promise settles.
napi_value JS_encodeAsync(napi_env env, napi_callback_info info);

}  // namespace millrace
