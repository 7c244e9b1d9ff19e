// The functions of image/ that make and show images, as functions of the addon. They check all their arguments, work on
// a thread of the runtime's pool, and settle their promises on the JavaScript thread. The typed arrays that they get
// must not change until then.
#pragma once

#include "addon/node_addon_api.h"

namespace millrace {

// Adds the functions to the exports of the addon. native/images.ts is their only caller.
void AddImages(Napi::Env env, Napi::Object exports);

}  // namespace millrace
