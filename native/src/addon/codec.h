// The codecs of codec/ as functions of the addon.
#pragma once

#include <napi.h>

namespace millrace {

// Adds encode, parseTensor, parseRequest and mapPixels. native/codec.ts is their only caller and says
// what they take; here is checked what memory safety depends on.
void AddCodec(Napi::Env env, Napi::Object exports);

}  // namespace millrace
