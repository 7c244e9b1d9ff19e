#include "addon/codec.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "addon/byte_budget.h"
#include "addon/codec_async.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "codec/flat_request.h"
#include "codec/image.h"
#include "codec/infer_request.h"
#include "codec/json_buffer.h"
#include "codec/tensor_parser.h"
#include "codec/tensor_writer.h"

namespace millrace {
namespace {

Status AppendText(napi_env env, napi_value value, JsonBuffer& out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    return {Code::kInvalidArgument, "A part to encode is neither a string nor a type and its data"};
  }
  char* const at = out.Reserve(length + 1);
  napi_get_value_string_utf8(env, value, at, length + 1, &length);
  out.Commit(at + length);
  return {};
}

// An empty buffer, this thread's own. Kept from call to call: large ones would be unmapped and mapped
// again each time, which takes longer than writing the text.
JsonBuffer& Scratch() noexcept {
  constexpr size_t kMostKept = size_t{4} << 20;
  thread_local JsonBuffer buffer;
  buffer.Clear(kMostKept);
  return buffer;
}

// encode(nonFinite, ...parts): ArrayBuffer
// Strings as they are; a type's number and a typed array (of strings: packed) as a JSON array, or raw if
// the type is 0.
napi_value JS_encode(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const NonFinite policy = arguments.Policy(0);
    JsonBuffer& out = Scratch();
    for (size_t i = 1; i < arguments.count(); ++i) {
      double type = 0;
      Status status;
      if (napi_get_value_double(env, arguments[i], &type) != napi_ok) {
        status = AppendText(env, arguments[i], out);
      } else if (++i < arguments.count()) {
        const auto bytes = arguments.Bytes(i);
        TensorView tensor;
        tensor.type = static_cast<ElementType>(type);
        tensor.data = bytes.data();
        tensor.bytes = bytes.size();
        if (tensor.type == ElementType::kUndefined) {
          out.Append(arguments.Chars(i));
        } else {
          status = AppendTensor(tensor, policy, out);
        }
      }
      if (!status.ok()) return Refuse(env, status);
    }
    return CopyToBuffer(env, out.view().data(), out.size());
  });
}

// parseTensor(bytes, offset, type, nonFinite): [ArrayBuffer | string[], end, dims | null]
napi_value JS_parseTensor(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const std::string_view text = arguments.Chars(0);
    const size_t offset = arguments.Size(1);
    if (offset > text.size()) {
      return Refuse(env, {Code::kInvalidArgument, "The offset lies outside the bytes"});
    }
    const ElementType type = arguments.Type(2);
    JsonCursor cursor(text, offset);
    ElementBuffer elements;
    Nesting nesting;
    if (!ParseTensor(cursor, type, arguments.Policy(3), elements, &nesting)) {
      return Refuse(env, {Code::kInvalidArgument, "The tensor cannot be read: " + cursor.error()});
    }
    const auto numbers = elements.numbers();
    const auto& strings = elements.strings();
    napi_value data = nullptr;
    if (type == ElementType::kString) {
      napi_create_array_with_length(env, strings.size(), &data);
      for (size_t i = 0; i < strings.size(); ++i) SetString(env, data, i, strings[i]);
    } else {
      data = CopyToBuffer(env, numbers.data(), numbers.size());
      if (data == nullptr) return nullptr;
    }
    const std::span sizes(nesting.sizes.data(), nesting.depth);
    napi_value dims = nullptr;
    napi_get_null(env, &dims);
    if (nesting.depth != 0) {
      dims = ToArray(env, sizes,
                     [&](int64_t size) { return ToNumber(env, static_cast<double>(size)); });
    }
    return ToArray(env, {data, ToNumber(env, static_cast<double>(cursor.position())), dims});
  });
}

// Elements straight into the memory of JavaScript.
class ValueSink final : public InferSink {
 public:
  // Refuses BYTES of more elements than `most_strings`, of which each takes its time.
  ValueSink(napi_env env, size_t most_strings) noexcept : env_(env), most_strings_(most_strings) {}

  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    std::byte* memory = nullptr;
    Set(input, NewBuffer(env_, count * ElementSize(type), memory));
    return memory;
  }

  bool Strings(size_t input, size_t count) override {
    napi_value array = nullptr;
    // Its length is not reserved: it is what a client says.
    if (napi_create_array(env_, &array) != napi_ok) return false;
    Set(input, array);
    strings_ += count;
    return strings_ <= most_strings_;
  }

  bool String(size_t input, size_t element, std::string_view text) override {
    SetString(env_, values_[input], element, text);
    return true;
  }

  napi_value operator[](size_t input) const noexcept { return values_[input]; }
  bool refused() const noexcept { return strings_ > most_strings_; }

 private:
  void Set(size_t input, napi_value value) {
    if (values_.size() <= input) values_.resize(input + 1);
    values_[input] = value;
  }

  napi_env env_;
  const size_t most_strings_;
  size_t strings_ = 0;
  std::vector<napi_value> values_;
};

// parseRequest(body, headerLength, nonFinite, maxBytes, maxTensors, maxStrings, stringsHere):
//   [id, parameters, inputs, outputs | null]; headerLength -1: all is JSON
// null if there are more than `stringsHere` BYTES elements, which parseRequestAsync is for.
napi_value JS_parseRequest(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const std::string_view body = arguments.Chars(0);
    std::optional<size_t> length;
    if (arguments.Number(1) != -1) length = arguments.Size(1);
    InferLimits limits;
    limits.max_bytes = arguments.Size(3);
    limits.max_tensors = arguments.Size(4);
    limits.max_strings = arguments.Size(5);
    ValueSink sink(env, arguments.Size(6));
    InferRequest request;
    const Status status =
        ParseInferRequest(body, length, arguments.Policy(2), limits, sink, request);
    if (!status.ok() && sink.refused()) {
      napi_value null = nullptr;
      napi_get_null(env, &null);
      return null;
    }
    if (!status.ok()) return Refuse(env, status);
    return ToValue(env, request, [&](size_t input) { return sink[input]; });
  });
}

// parseFlat(body, nonFinite, maxTensors, block): string | undefined
// A request that is all JSON, laid out in `block` as FlatRequest says; undefined where it has no place for
// all of it.
napi_value JS_parseFlat(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    InferLimits limits;
    limits.max_tensors = arguments.Size(2);
    FlatRequest flat(arguments.Bytes(3));
    InferRequest request;
    const Status status = ParseInferRequest(arguments.Chars(0), std::nullopt, arguments.Policy(1),
                                            limits, flat, request);
    napi_value result = nullptr;
    napi_get_undefined(env, &result);
    if (status.code() == Code::kResourceExhausted) return result;
    if (!status.ok()) return Refuse(env, status);
    if (const auto names = flat.Write(request)) {
      napi_create_string_latin1(env, names->data(), names->size(), &result);
    }
    return result;
  });
}

// elementsText(nonFinite, type, typedArray): string
napi_value JS_elementsText(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const auto bytes = arguments.Bytes(2);
    TensorView tensor;
    tensor.type = arguments.Type(1);
    tensor.data = bytes.data();
    tensor.bytes = bytes.size();
    JsonBuffer& out = Scratch();
    const Status status = AppendTensor(tensor, arguments.Policy(0), out);
    if (!status.ok()) return Refuse(env, status);
    napi_value text = nullptr;
    napi_create_string_latin1(env, out.view().data(), out.size(), &text);
    return text;
  });
}

// takeBytes(bytes, limit): boolean
// Takes bytes from the process's budget unless that makes more than `limit`.
napi_value JS_takeBytes(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  napi_value taken = nullptr;
  napi_get_boolean(env, ProcessBytes().TryTake(arguments.Size(0), arguments.Size(1)), &taken);
  return taken;
}

// giveBytes(bytes): void
napi_value JS_giveBytes(napi_env env, napi_callback_info info) {
  ProcessBytes().Give(Arguments(env, info).Size(0));
  return nullptr;
}

// takenBytes(): number
napi_value JS_takenBytes(napi_env env, napi_callback_info) {
  return ToNumber(env, static_cast<double>(ProcessBytes().taken()));
}

// mapPixels(pixels, height, width, scale, mean, deviation, reverse, planes): boolean
// False if the arrays do not fit each other.
napi_value JS_mapPixels(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto floats = [&](size_t i) {
    const auto bytes = arguments.Bytes(i);
    return std::span(reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float));
  };
  const auto pixels = arguments.Bytes(0);
  const size_t height = arguments.Size(1);
  const size_t width = arguments.Size(2);
  const PixelMap map = NormalizingMap(static_cast<float>(arguments.Number(3)), floats(4), floats(5),
                                      arguments.Number(6) != 0);
  const auto planes = floats(7);
  const double elements = static_cast<double>(height) * static_cast<double>(width) *
                          static_cast<double>(map.channels);
  const bool fits =
      elements == static_cast<double>(pixels.size()) && pixels.size() == planes.size();
  if (fits && !pixels.empty()) {
    MapPixels(reinterpret_cast<const uint8_t*>(pixels.data()), height, width, map, planes.data());
  }
  napi_value result = nullptr;
  napi_get_boolean(env, fits, &result);
  return result;
}

}  // namespace

void AddCodec(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, napi_callback callback) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    exports.Set(name, function);
  };
  add("encode", JS_encode);
  add("parseTensor", JS_parseTensor);
  add("parseRequest", JS_parseRequest);
  add("parseFlat", JS_parseFlat);
  add("elementsText", JS_elementsText);
  add("parseRequestAsync", JS_parseRequestAsync);
  add("cutStrings", JS_cutStrings);
  add("encodeAsync", JS_encodeAsync);
  add("takeBytes", JS_takeBytes);
  add("giveBytes", JS_giveBytes);
  add("takenBytes", JS_takenBytes);
  add("mapPixels", JS_mapPixels);
}

}  // namespace millrace
