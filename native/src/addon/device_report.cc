#include "addon/device_report.h"

namespace millrace {
namespace {

template <class T, class Convert>
Napi::Array ArrayOf(Napi::Env env, const std::vector<T>& items, const Convert& convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array[i] = convert(items[i]);
  return array;
}

Napi::Object Describe(Napi::Env env, const DeviceReport::WarmShape& warm) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("inputs", ArrayOf(env, warm.inputs, [env](const Shape& shape) {
               Napi::Array dims = Napi::Array::New(env, shape.rank);
               for (uint32_t axis = 0; axis < shape.rank; ++axis) {
                 dims[axis] = Napi::Number::New(env, static_cast<double>(shape.dims[axis]));
               }
               return dims;
             }));
  object.Set("ms", Napi::Number::New(env, static_cast<double>(warm.cost) * 1e-6));
  object.Set("graph", Napi::Boolean::New(env, warm.graph));
  return object;
}

Napi::Object Describe(Napi::Env env, const NodePlacement& node) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", node.name);
  object.Set("op", node.op);
  object.Set("provider", node.provider);
  return object;
}

}  // namespace

Napi::Object ToObject(Napi::Env env, const DeviceReport& report) {
  const auto describe = [env](const auto& item) { return Describe(env, item); };
  const auto text = [env](const std::string& line) { return Napi::String::New(env, line); };
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", report.device);
  object.Set("fallback", report.fallback);
  object.Set("notes", ArrayOf(env, report.notes, text));
  object.Set("nodes", ArrayOf(env, report.nodes, describe));
  object.Set("shapes", ArrayOf(env, report.shapes, describe));
  return object;
}

}  // namespace millrace
