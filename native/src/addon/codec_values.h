// JavaScript values that the codec's functions return.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string_view>

#include "codec/infer_request.h"

namespace millrace {

napi_value ToText(napi_env env, std::string_view text);
napi_value ToArray(napi_env env, std::initializer_list<napi_value> elements);

template <typename Range, typename Convert>
napi_value ToArray(napi_env env, Range&& range, Convert&& convert) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, range.size(), &array);
  uint32_t index = 0;
  for (auto& element : range) napi_set_element(env, array, index++, convert(element));
  return array;
}

// Sets an element of an array to a string, without keeping a handle open for it.
void SetString(napi_env env, napi_value array, size_t index, std::string_view text);

// Returns a new ArrayBuffer and its memory, or null if there is no memory for it.
napi_value NewBuffer(napi_env env, size_t bytes, std::byte*& memory);

// Returns a new ArrayBuffer with a copy of the bytes. If there is no memory for it, throws and returns null.
napi_value CopyToBuffer(napi_env env, const void* bytes, size_t size);

// Returns [id, parameters, inputs, outputs | null] of a parsed request. Calls `elements_of` for the elements of each
// input that are not binary data in the body.
napi_value ToValue(napi_env env, const InferRequest& request,
                   const std::function<napi_value(size_t)>& elements_of);

}  // namespace millrace
