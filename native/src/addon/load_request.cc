#include "addon/load_request.h"

#include <cstdlib>
#include <utility>

#include "addon/read_options.h"

namespace millrace {
namespace {

std::vector<KnownCost> ReadCosts(const Napi::Value& value) {
  std::vector<KnownCost> costs;
  ForEachObject(value, [&costs](const Napi::Object& object) {
    KnownCost& known = costs.emplace_back();
    known.point = {NumberOr(object, "rows", 0), NumberOr(object, "meanMs", 0) * 1e6,
                   NumberOr(object, "highMs", 0) * 1e6, 1};
    const Napi::Value lengths = object.Get("lengths");
    if (!lengths.IsObject()) return;
    const auto named = lengths.As<Napi::Object>();
    const Napi::Array names = named.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).ToString().Utf8Value();
      known.lengths[name] = static_cast<int64_t>(NumberOr(named, name.c_str(), 0));
    }
  });
  return costs;
}

// See NativePad in native/binding.ts.
Scalar ReadScalar(const Napi::Object& pad) {
  const std::string kind = StringOr(pad, "kind");
  std::string value = StringOr(pad, "value");
  if (kind == "string") return value;
  if (kind == "number") return std::strtod(value.c_str(), nullptr);
  if (value.starts_with('-')) return int64_t{std::strtoll(value.c_str(), nullptr, 10)};
  return uint64_t{std::strtoull(value.c_str(), nullptr, 10)};
}

std::vector<AxisSpec> ReadAxes(const Napi::Value& value) {
  std::vector<AxisSpec> axes;
  ForEachObject(value, [&axes](const Napi::Object& object) {
    AxisSpec& axis = axes.emplace_back();
    axis.name = StringOr(object, "name");
    axis.mask = StringOr(object, "mask");
    axis.lengths = ReadSizes(object.Get("buckets"));
    if (const Napi::Value dimensions = object.Get("dimensions"); dimensions.IsArray()) {
      const auto names = dimensions.As<Napi::Array>();
      for (uint32_t i = 0; i < names.Length(); ++i) {
        axis.dimensions.push_back(names.Get(i).ToString().Utf8Value());
      }
    }
    ForEachObject(object.Get("pads"), [&axis](const Napi::Object& pad) {
      if (pad.Get("input").IsString()) {
        axis.pads[StringOr(pad, "input")] = ReadScalar(pad);
      } else {
        axis.pad = ReadScalar(pad);
      }
    });
  });
  return axes;
}

std::vector<PixelForm> ReadPixels(const Napi::Value& value) {
  std::vector<PixelForm> forms;
  ForEachObject(value, [&forms](const Napi::Object& object) {
    PixelForm& form = forms.emplace_back();
    form.input = StringOr(object, "input");
    form.scale = static_cast<float>(NumberOr(object, "scale", 0));
    form.reverse = NumberOr(object, "reverse", 0) != 0;
    form.either = NumberOr(object, "either", 0) != 0;
    for (auto [name, numbers] : {std::pair("mean", &form.mean), std::pair("std", &form.deviation)}) {
      const auto values = object.Get(name).As<Napi::Float32Array>();
      numbers->assign(values.Data(), values.Data() + values.ElementLength());
    }
  });
  return forms;
}

}  // namespace

LoadRequest ReadLoadRequest(const Napi::Object& options) {
  LoadRequest request;
  request.key = StringOr(options, "key");
  request.path = StringOr(options, "path");
  if (const Napi::Value bytes = options.Get("bytes"); bytes.IsTypedArray()) {
    const auto array = bytes.As<Napi::Uint8Array>();
    const auto* const data = reinterpret_cast<const char*>(array.Data());
    request.bytes.assign(data, data + array.ByteLength());
  }
  const double max_rows = NumberOr(options, "maxRows", 64);
  request.max_rows = static_cast<int64_t>(max_rows);
  request.batching = static_cast<BatchingMode>(NumberOr(options, "batching", 0));
  request.policy = static_cast<PolicyKind>(NumberOr(options, "policy", 2));
  request.max_delay = static_cast<Nanos>(NumberOr(options, "maxDelayMs", 0) * 1e6);
  request.max_queue = static_cast<uint32_t>(NumberOr(options, "maxQueue", 1024));
  for (const int64_t most : ReadSizes(options.Get("maxQueueByPriority"))) {
    request.max_queue_by_priority.push_back(static_cast<uint32_t>(most));
  }
  request.instances = static_cast<uint32_t>(NumberOr(options, "instances", 0));
  request.intra_op_threads = static_cast<int>(NumberOr(options, "intraOpThreads", 0));
  request.run_limit = static_cast<Nanos>(NumberOr(options, "runLimitMs", 0) * 1e6);
  request.inline_limit = static_cast<Nanos>(NumberOr(options, "inlineLimitUs", 0) * 1e3);
  request.weight = NumberOr(options, "weight", 1);
  request.warmup = static_cast<Nanos>(NumberOr(options, "warmupMs", 0) * 1e6);
  request.costs = ReadCosts(options.Get("costs"));
  request.axes = ReadAxes(options.Get("axes"));
  request.row_sizes = ReadSizes(options.Get("rowBuckets"));
  if (const double most = NumberOr(options, "maxElements", 0); most > 0) {
    request.max_elements = static_cast<int64_t>(most);
  }
  ForEachObject(options.Get("dimensions"), [&request](const Napi::Object& object) {
    request.dimensions.emplace_back(StringOr(object, "name"),
                                    static_cast<int64_t>(NumberOr(object, "size", 1)));
  });
  request.pixels = ReadPixels(options.Get("pixels"));
  request.digest = StringOr(options, "digest");
  request.copy_folder = StringOr(options, "copyFolder");
  request.device.device = StringOr(options, "device");
  request.device.options = ReadKeyValues(options.Get("deviceOptions"));
  request.device.provider_options = ReadKeyValues(options.Get("providerOptions"));
  request.cache_folder = StringOr(options, "cacheFolder");
  request.spin = static_cast<Nanos>(NumberOr(options, "spinUs", 0) * 1e3);
  return request;
}

}  // namespace millrace
