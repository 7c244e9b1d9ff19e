// A loaded model as one JavaScript thread holds it.
#pragma once

#include <memory>
#include <vector>

#include "addon/js_thread.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Returns a NativeModel of native/binding.ts. The thread's hold on the model ends when the object is released or
// collected.
Napi::Object WrapModel(Napi::Env env, std::shared_ptr<JsThread> thread,
                       std::shared_ptr<LoadedModel> model);

// Returns TensorSpecs of native/types.ts.
Napi::Array ToArray(Napi::Env env, const std::vector<TensorSpec>& specs);

}  // namespace millrace
