// node-addon-api, in which a call that the JavaScript runtime refuses ends the call from JavaScript and not the process.
//
// A Worker may be terminated while it is inside a function of the addon. From then on the runtime refuses all calls, also
// those by which node-addon-api would learn the reason and create an exception, which it treats as fatal errors: Bun
// aborted the process in one of a thousand Workers that were terminated while they loaded models.
#pragma once

#include <node_api.h>

#include <cstddef>

namespace millrace {

// The runtime refuses calls of this environment, because it is being torn down. Guard catches it.
struct EnvironmentClosed {};

// Replaces napi_fatal_error in node-addon-api, with the same parameters.
[[noreturn]] inline void ThrowEnvironmentClosed(const char*, size_t, const char*, size_t) {
  throw EnvironmentClosed{};
}

}  // namespace millrace

#define napi_fatal_error ::millrace::ThrowEnvironmentClosed
#include <napi.h>
#undef napi_fatal_error
