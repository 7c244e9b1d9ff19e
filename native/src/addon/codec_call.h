// How the codec's functions read their arguments and throw errors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "addon/convert.h"
#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/infer_request.h"
#include "codec/json_buffer.h"
#include "codec/json_cursor.h"
#include "codec/tensor_writer.h"

namespace millrace {

// The arguments of a call. Missing ones are undefined. Valid during the call, on its thread.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    count_ = few_.size();
    napi_get_cb_info(env, info, &count_, few_.data(), nullptr, nullptr);
    if (count_ <= few_.size()) return;
    many_.resize(count_);
    napi_get_cb_info(env, info, &count_, many_.data(), nullptr, nullptr);
  }

  size_t count() const noexcept { return count_; }
  napi_value operator[](size_t i) const noexcept { return many_.empty() ? few_[i] : many_[i]; }

  double Number(size_t i, double fallback = 0) const noexcept {
    napi_get_value_double(env_, (*this)[i], &fallback);
    return fallback;
  }
  // Returns a size. Any value that is not a size becomes the largest one, 2^53 - 1, which no array has.
  size_t Size(size_t i) const noexcept {
    constexpr double kMost = 9007199254740991.0;
    const double number = Number(i, kMost);
    return static_cast<size_t>(number >= 0 && number <= kMost ? number : kMost);
  }
  ElementType Type(size_t i) const noexcept { return static_cast<ElementType>(Number(i)); }
  NonFinite Policy(size_t i) const noexcept { return static_cast<NonFinite>(Number(i)); }

  // Returns the memory of a typed array, and an empty span for anything else.
  std::span<std::byte> Bytes(size_t i) const noexcept { return BytesOf(env_, (*this)[i]); }
  std::string_view Chars(size_t i) const noexcept {
    const auto bytes = Bytes(i);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // Returns a tensor without a shape: argument `i` is the number of its type, and the next one the typed array of its
  // data.
  TensorView Tensor(size_t i) const noexcept {
    const auto bytes = Bytes(i + 1);
    TensorView tensor;
    tensor.type = Type(i);
    tensor.data = bytes.data();
    tensor.bytes = bytes.size();
    return tensor;
  }

  bool IsTyped(size_t i) const noexcept {
    bool typed = false;
    return napi_is_typedarray(env_, (*this)[i], &typed) == napi_ok && typed;
  }
  bool IsNumber(size_t i) const noexcept {
    double number = 0;
    return napi_get_value_double(env_, (*this)[i], &number) == napi_ok;
  }
  // Returns the bytes of a string in UTF-8, or nothing for another value.
  std::optional<size_t> TextLength(size_t i) const noexcept {
    size_t length = 0;
    if (napi_get_value_string_utf8(env_, (*this)[i], nullptr, 0, &length) != napi_ok) return {};
    return length;
  }
  // Copies a string of `length` bytes (see TextLength) and a NUL after it.
  void CopyText(size_t i, char* target, size_t length) const noexcept {
    napi_get_value_string_utf8(env_, (*this)[i], target, length + 1, &length);
  }

 private:
  napi_env env_;
  size_t count_ = 0;
  std::array<napi_value, 16> few_{};
  std::vector<napi_value> many_;
};

// The arguments that parseRequest and parseRequestAsync begin with:
// body, headerLength (-1 if the whole body is JSON), nonFinite, maxBytes, maxTensors, maxStrings.
struct ParseArguments {
  static constexpr size_t kCount = 6;

  explicit ParseArguments(const Arguments& arguments) noexcept
      : body(arguments.Chars(0)), non_finite(arguments.Policy(2)) {
    if (arguments.Number(1) != -1) header_length = arguments.Size(1);
    limits.max_bytes = arguments.Size(3);
    limits.max_tensors = arguments.Size(4);
    limits.max_strings = arguments.Size(5);
  }

  Status Run(InferSink& sink, InferRequest& request) const {
    return ParseInferRequest(body, header_length, non_finite, limits, sink, request);
  }

  std::string_view body;
  std::optional<size_t> header_length;
  NonFinite non_finite;
  InferLimits limits;
};

// Reads the parts of encode(nonFinite, ...parts). A part is a string, or the number of an element type and a typed
// array, which holds packed strings if the type is kString. Calls add_text(index, bytes in UTF-8) for a string and
// add_tensor(index of the array, tensor) for the others.
template <typename AddText, typename AddTensor>
Status ForEachPart(const Arguments& arguments, AddText&& add_text, AddTensor&& add_tensor) {
  for (size_t i = 1; i < arguments.count(); ++i) {
    if (const auto length = arguments.TextLength(i)) {
      add_text(i, *length);
    } else if (arguments.IsNumber(i) && i + 1 < arguments.count()) {
      const TensorView tensor = arguments.Tensor(i++);
      MILLRACE_RETURN_IF_ERROR(add_tensor(i, tensor));
    } else {
      return {Code::kInvalidArgument, "A part to encode is neither a string nor a type and its data"};
    }
  }
  return {};
}

// Appends the elements of a part as a JSON array, or its bytes as they are if its type is kUndefined.
inline Status AppendPart(const TensorView& part, NonFinite non_finite, JsonBuffer& out) {
  if (part.type != ElementType::kUndefined) return AppendTensor(part, non_finite, out);
  out.Append({reinterpret_cast<const char*>(part.data), part.bytes});
  return {};
}

inline napi_value ToNumber(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

}  // namespace millrace
