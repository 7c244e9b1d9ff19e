#include "addon/stats_object.h"

namespace millrace {

Napi::Object ToObject(Napi::Env env, const Histogram::Snapshot& histogram) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array bounds = Napi::Array::New(env, histogram.bounds.size());
  Napi::Array counts = Napi::Array::New(env, histogram.counts.size());
  for (uint32_t i = 0; i < histogram.bounds.size(); ++i) {
    bounds[i] = Napi::Number::New(env, histogram.bounds[i]);
    counts[i] = Napi::Number::New(env, static_cast<double>(histogram.counts[i]));
  }
  object.Set("bounds", bounds);
  object.Set("counts", counts);
  object.Set("count", Napi::Number::New(env, static_cast<double>(histogram.count)));
  object.Set("sum", Napi::Number::New(env, histogram.sum));
  return object;
}

Napi::Object ToObject(Napi::Env env, const Tally::Sums& sums) {
  Napi::Object object = Napi::Object::New(env);
  const auto ms = [&](const char* name, Nanos duration) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(duration) * 1e-6));
  };
  object.Set("count", Napi::Number::New(env, static_cast<double>(sums.count)));
  ms("inputMs", sums.parts.input);
  ms("computeMs", sums.parts.compute);
  ms("outputMs", sums.parts.output);
  return object;
}

Napi::Array ToArray(Napi::Env env, const std::vector<Tally::Size>& sizes) {
  Napi::Array array = Napi::Array::New(env, sizes.size());
  for (uint32_t i = 0; i < sizes.size(); ++i) {
    Napi::Object object = ToObject(env, sizes[i].runs);
    object.Set("rows", Napi::Number::New(env, static_cast<double>(sizes[i].rows)));
    array[i] = object;
  }
  return array;
}

}  // namespace millrace
