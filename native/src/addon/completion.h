// The way back: finished requests to JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/client.h"

namespace millrace {

// Adds drain, callSoon, take, strings, message, cancel and release to the engine object of `client`.
void AddCompletion(Napi::Env env, Napi::Object engine, Client* client);

}  // namespace millrace
