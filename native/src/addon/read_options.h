// Reads the members of option objects from JavaScript, which native/*.ts has checked. A member of another type counts as
// missing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "addon/node_addon_api.h"
#include "ort/options.h"

namespace millrace {

double NumberOr(const Napi::Object& options, const char* name, double fallback);

// Returns "" if there is no such string.
std::string StringOr(const Napi::Object& options, const char* name);

// Calls `read(object)` for each object of an array. Anything that is not an array counts as an empty one.
template <class Read>
void ForEachObject(const Napi::Value& value, Read&& read) {
  if (!value.IsArray()) return;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) read(array.Get(i).As<Napi::Object>());
}

// Returns the numbers of an array.
std::vector<int64_t> ReadSizes(const Napi::Value& value);

// Returns the members of an object as strings.
KeyValues ReadKeyValues(const Napi::Value& value);

}  // namespace millrace
