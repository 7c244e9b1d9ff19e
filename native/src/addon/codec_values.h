// Values for JavaScript that the codec's functions make.
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
napi_value ToArray(napi_env env, const Range& range, Convert&& convert) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, range.size(), &array);
  uint32_t index = 0;
  for (const auto& element : range) napi_set_element(env, array, index++, convert(element));
  return array;
}

// Sets an element to a string. A long array must not keep a handle for each element.
void SetString(napi_env env, napi_value array, size_t index, std::string_view text);

// A new ArrayBuffer, or null where there is no memory for it.
napi_value NewBuffer(napi_env env, size_t bytes, std::byte*& memory);

// A new ArrayBuffer with these bytes; null, and an exception is pending, where there is no memory for it.
napi_value CopyToBuffer(napi_env env, const void* bytes, size_t size);

// [id, parameters, inputs, outputs | null] of a parsed request. `elements_of` is asked for the elements
// of each input that are not in the body.
napi_value ToValue(napi_env env, const InferRequest& request,
                   const std::function<napi_value(size_t)>& elements_of);

}  // namespace millrace
