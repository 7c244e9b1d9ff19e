// How functions that get a JsThread as their data read their arguments.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "addon/js_thread.h"

namespace millrace {

// Reads `count` arguments. Missing ones are undefined.
inline JsThread& ThreadOf(napi_env env, napi_callback_info info, size_t count, napi_value* arguments) {
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  return *static_cast<JsThread*>(data);
}

// Returns the largest number for a value that is not a number.
inline uint32_t ToUint32(napi_env env, napi_value value) noexcept {
  uint32_t number = UINT32_MAX;
  napi_get_value_uint32(env, value, &number);
  return number;
}

constexpr double Milliseconds(Nanos duration) noexcept {
  return static_cast<double>(duration) * 1e-6;
}

}  // namespace millrace
