// The functions of codec/ as functions of the addon.
#pragma once

#include "addon/node_addon_api.h"

namespace millrace {

// Adds the functions to the exports of the addon. native/codec.ts is their only caller and checks its own arguments;
// the functions check only what memory safety depends on. They run on the JavaScript thread.
void AddCodec(Napi::Env env, Napi::Object exports);

}  // namespace millrace
