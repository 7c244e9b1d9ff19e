// Functions that pass finished requests to JavaScript.
#pragma once

#include <memory>

#include "addon/js_thread.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Adds drain, callSoon, take, strings, packedStrings, message, cancel and release to the engine object of `thread`,
// which must outlive it. They are called on the JavaScript thread.
void AddCompletion(Napi::Env env, Napi::Object engine, JsThread* thread);

}  // namespace millrace
