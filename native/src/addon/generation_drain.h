// Functions that pass the tokens and ends of generations to JavaScript.
#pragma once

#include "addon/js_thread.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Adds drainGenerations, takeGeneration and cancelGeneration to the engine object of `thread`, which must outlive it.
// They are called on the JavaScript thread.
void AddGenerations(Napi::Env env, Napi::Object engine, JsThread* thread);

}  // namespace millrace
