#include "addon/read_options.h"

namespace millrace {

double NumberOr(const Napi::Object& options, const char* name, double fallback) {
  const Napi::Value value = options.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

std::string StringOr(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<int64_t> ReadSizes(const Napi::Value& value) {
  std::vector<int64_t> sizes;
  if (!value.IsArray()) return sizes;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    sizes.push_back(array.Get(i).As<Napi::Number>().Int64Value());
  }
  return sizes;
}

KeyValues ReadKeyValues(const Napi::Value& value) {
  KeyValues values;
  if (!value.IsObject()) return values;
  const auto object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const Napi::Value name = names.Get(i);
    values.emplace_back(name.ToString().Utf8Value(), object.Get(name).ToString().Utf8Value());
  }
  return values;
}

}  // namespace millrace
