// The report of a model's device as a JavaScript object.
#pragma once

#include "addon/node_addon_api.h"
#include "ort/loaded.h"

namespace millrace {

// Returns a DeviceReport of native/device-types.ts.
Napi::Object ToObject(Napi::Env env, const DeviceReport& report);

}  // namespace millrace
