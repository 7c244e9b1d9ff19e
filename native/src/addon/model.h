// A loaded model as one JavaScript thread holds it.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/js_thread.h"

namespace millrace {

// Builds the object native/index.ts calls a NativeModel: the signature and the methods submit, stats
// and release. When it is collected the thread's hold on the model ends.
Napi::Object WrapModel(Napi::Env env, std::shared_ptr<JsThread> thread,
                       std::shared_ptr<LoadedModel> model);

// Counters and histograms as JavaScript objects.
Napi::Object ToObject(Napi::Env env, const Histogram::Snapshot& histogram);

}  // namespace millrace
