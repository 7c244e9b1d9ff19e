#include "addon/codec_values.h"

#include <cstring>
#include <string>
#include <variant>

#include "addon/codec_call.h"

namespace millrace {
namespace {

// Returns [name, value, name, value …]. An integer that a number cannot represent is a bigint.
napi_value ToValue(napi_env env, const Parameters& parameters) {
  constexpr int64_t kExact = int64_t{1} << 53;
  napi_value array = nullptr;
  napi_create_array_with_length(env, parameters.size() * 2, &array);
  uint32_t index = 0;
  for (const Parameter& parameter : parameters) {
    napi_value value = nullptr;
    if (const auto* const flag = std::get_if<bool>(&parameter.value)) {
      napi_get_boolean(env, *flag, &value);
    } else if (const auto* const text = std::get_if<std::string>(&parameter.value)) {
      value = ToText(env, *text);
    } else if (const auto* const real = std::get_if<double>(&parameter.value)) {
      value = ToNumber(env, *real);
    } else if (const auto* const natural = std::get_if<uint64_t>(&parameter.value)) {
      napi_create_bigint_uint64(env, *natural, &value);
    } else {
      const int64_t integer = std::get<int64_t>(parameter.value);
      if (integer > -kExact && integer < kExact) {
        value = ToNumber(env, static_cast<double>(integer));
      } else {
        napi_create_bigint_int64(env, integer, &value);
      }
    }
    napi_set_element(env, array, index++, ToText(env, parameter.name));
    napi_set_element(env, array, index++, value);
  }
  return array;
}

// Returns [name, type, dims, parameters, ArrayBuffer | string[] | offset in the body, bytes of binary data].
napi_value ToValue(napi_env env, const InferInput& input, size_t number,
                   const std::function<napi_value(size_t)>& elements_of) {
  const auto size = [&](int64_t dim) { return ToNumber(env, static_cast<double>(dim)); };
  return ToArray(env, {ToText(env, input.name), ToNumber(env, static_cast<double>(input.type)),
                       ToArray(env, input.shape.view(), size), ToValue(env, input.parameters),
                       input.offset ? ToNumber(env, static_cast<double>(*input.offset))
                                    : elements_of(number),
                       ToNumber(env, static_cast<double>(input.bytes))});
}

}  // namespace

napi_value ToText(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value ToArray(napi_env env, std::initializer_list<napi_value> elements) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, elements.size(), &array);
  uint32_t index = 0;
  for (const napi_value element : elements) napi_set_element(env, array, index++, element);
  return array;
}

void SetString(napi_env env, napi_value array, size_t index, std::string_view text) {
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env, &scope);
  napi_set_element(env, array, static_cast<uint32_t>(index), ToText(env, text));
  napi_close_handle_scope(env, scope);
}

napi_value NewBuffer(napi_env env, size_t bytes, std::byte*& memory) {
  // Some runtimes return a null pointer for an empty buffer.
  static std::byte nothing[1];
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_arraybuffer(env, bytes, &data, &buffer) != napi_ok) return nullptr;
  memory = bytes == 0 ? nothing : static_cast<std::byte*>(data);
  return memory == nullptr ? nullptr : buffer;
}

napi_value CopyToBuffer(napi_env env, const void* bytes, size_t size) {
  std::byte* memory = nullptr;
  const napi_value buffer = NewBuffer(env, size, memory);
  if (buffer == nullptr) return Refuse(env, OutOfMemory());
  if (size != 0) std::memcpy(memory, bytes, size);
  return buffer;
}

napi_value ToValue(napi_env env, const InferRequest& request,
                   const std::function<napi_value(size_t)>& elements_of) {
  size_t number = 0;
  const napi_value inputs = ToArray(env, request.inputs, [&](const InferInput& input) {
    return ToValue(env, input, number++, elements_of);
  });
  napi_value outputs = nullptr;
  napi_get_null(env, &outputs);
  if (request.outputs) {
    outputs = ToArray(env, *request.outputs, [&](const InferOutput& output) {
      return ToArray(env, {ToText(env, output.name), ToValue(env, output.parameters)});
    });
  }
  return ToArray(env, {ToText(env, request.id), ToValue(env, request.parameters), inputs, outputs});
}

}  // namespace millrace
