// Reads the options of a load.
#pragma once

#include "addon/loaded_model.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Reads a NativeLoadOptions of native/binding.ts.
LoadRequest ReadLoadRequest(const Napi::Object& options);

}  // namespace millrace
