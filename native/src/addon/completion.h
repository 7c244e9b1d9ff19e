// The way back: finished requests to JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/js_thread.h"

namespace millrace {

// Adds drain, callSoon, take, strings, message, cancel and release to the engine object of `thread`.
void AddCompletion(Napi::Env env, Napi::Object engine, JsThread* thread);

}  // namespace millrace
