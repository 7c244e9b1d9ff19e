// Where a model runs, as a JavaScript object.
#pragma once

#include <napi.h>

#include "ort/loaded.h"

namespace millrace {

// What native/types.ts calls a DeviceReport.
Napi::Object ToObject(Napi::Env env, const DeviceReport& report);

}  // namespace millrace
