// Loads generative models, and wraps them as one JavaScript thread holds them.
#pragma once

#include <memory>

#include "addon/js_thread.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Adds loadGenerator(options): Promise<NativeGenerator> of native/binding.ts to an engine object, which must not outlive
// `thread`. A thread's hold on a model ends when its object is released or collected.
void AddLoadGenerator(Napi::Env env, Napi::Object engine, std::shared_ptr<JsThread>* thread);

}  // namespace millrace
