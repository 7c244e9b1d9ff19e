#include "addon/codec.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "addon/byte_budget.h"
#include "addon/codec_async.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "codec/flat_request.h"
#include "codec/infer_request.h"
#include "codec/json_buffer.h"
#include "codec/tensor_writer.h"

namespace millrace {
namespace {

// Returns an empty buffer of this thread. It is kept between calls, because unmapping and mapping a large buffer again
// takes longer than writing the text.
JsonBuffer& Scratch() noexcept {
  constexpr size_t kMostKept = size_t{4} << 20;
  thread_local JsonBuffer buffer;
  buffer.Clear(kMostKept);
  return buffer;
}

// encode(nonFinite, ...parts): ArrayBuffer
// Concatenates the parts; see ForEachPart.
napi_value JS_encode(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const NonFinite non_finite = arguments.Policy(0);
    JsonBuffer& out = Scratch();
    const auto add_text = [&](size_t i, size_t length) {
      char* const at = out.Reserve(length + 1);
      arguments.CopyText(i, at, length);
      out.Commit(at + length);
    };
    const Status status = ForEachPart(arguments, add_text, [&](size_t, const TensorView& tensor) {
      return AppendPart(tensor, non_finite, out);
    });
    if (!status.ok()) return Refuse(env, status);
    return CopyToBuffer(env, out.view().data(), out.size());
  });
}

// Writes the elements of inputs to new ArrayBuffers and arrays of strings.
class ValueSink final : public InferSink {
 public:
  // Refuses more than `most_strings` BYTES elements, because to make a JavaScript string of each takes time.
  ValueSink(napi_env env, size_t most_strings) noexcept : env_(env), most_strings_(most_strings) {}

  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    std::byte* memory = nullptr;
    Set(input, NewBuffer(env_, count * ElementSize(type), memory));
    return memory;
  }

  bool Strings(size_t input, size_t count) override {
    napi_value array = nullptr;
    // The array has no length in advance, because the client may declare any number of strings.
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

// parseRequest(...ParseArguments, stringsHere): [id, parameters, inputs, outputs | null] | null
// Returns null if there are more than `stringsHere` BYTES elements; the caller then uses parseRequestAsync.
napi_value JS_parseRequest(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const ParseArguments parse(arguments);
    ValueSink sink(env, arguments.Size(ParseArguments::kCount));
    InferRequest request;
    const Status status = parse.Run(sink, request);
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
// Parses a request without binary data into `block`, as FlatRequest lays it out, and returns its id and names as one
// string. Returns undefined if the block cannot hold or represent the request.
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

// elementsText(nonFinite, type, memory, count): string
// Returns the first `count` elements in the memory as a JSON array.
napi_value JS_elementsText(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    TensorView tensor = arguments.Tensor(1);
    const size_t bytes = arguments.Size(3) * ElementSize(tensor.type);
    if (bytes > tensor.bytes) return Refuse(env, {Code::kInvalidArgument, "The memory is too small"});
    tensor.bytes = bytes;
    JsonBuffer& out = Scratch();
    const Status status = AppendTensor(tensor, arguments.Policy(0), out);
    if (!status.ok()) return Refuse(env, status);
    napi_value text = nullptr;
    napi_create_string_latin1(env, out.view().data(), out.size(), &text);
    return text;
  });
}

// takeBytes(bytes, limit): boolean
// Takes bytes from the budget of the process. Returns false, and takes nothing, if that would exceed `limit`.
napi_value JS_takeBytes(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  napi_value taken = nullptr;
  napi_get_boolean(env, ProcessBytes().TryTake(arguments.Size(0), arguments.Size(1)), &taken);
  return taken;
}

// giveBytes(bytes): void
// Gives taken bytes back.
napi_value JS_giveBytes(napi_env env, napi_callback_info info) {
  ProcessBytes().Give(Arguments(env, info).Size(0));
  return nullptr;
}

// takenBytes(): number
// Returns the bytes that are taken at the moment.
napi_value JS_takenBytes(napi_env env, napi_callback_info) {
  return ToNumber(env, static_cast<double>(ProcessBytes().taken()));
}

}  // namespace

void AddCodec(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, napi_callback function) {
    AddFunction(env, exports, name, function);
  };
  add("encode", JS_encode);
  add("parseRequest", JS_parseRequest);
  add("parseFlat", JS_parseFlat);
  add("elementsText", JS_elementsText);
  add("parseRequestAsync", JS_parseRequestAsync);
  add("cutStrings", JS_cutStrings);
  add("encodeAsync", JS_encodeAsync);
  add("takeBytes", JS_takeBytes);
  add("giveBytes", JS_giveBytes);
  add("takenBytes", JS_takenBytes);
}

}  // namespace millrace
