// What the codec's functions share: how they read their arguments, and how they refuse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "addon/convert.h"
#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/json_cursor.h"

namespace millrace {

// The arguments of a call. Those that are missing are undefined.
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
  // What is no size becomes one that fits nothing.
  size_t Size(size_t i) const noexcept {
    constexpr double kMost = 9007199254740991.0;
    const double number = Number(i, kMost);
    return static_cast<size_t>(number >= 0 && number <= kMost ? number : kMost);
  }
  ElementType Type(size_t i) const noexcept { return static_cast<ElementType>(Number(i)); }
  NonFinite Policy(size_t i) const noexcept { return static_cast<NonFinite>(Number(i)); }

  // The memory of a typed array; empty for anything else.
  std::span<std::byte> Bytes(size_t i) const noexcept {
    constexpr std::array<uint8_t, 11> kSizes = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    napi_typedarray_type type{};
    size_t length = 0;
    void* data = nullptr;
    const bool typed = napi_get_typedarray_info(env_, (*this)[i], &type, &length, &data, nullptr,
                                                nullptr) == napi_ok &&
                       static_cast<size_t>(type) < kSizes.size();
    if (!typed || data == nullptr) return {};
    return {static_cast<std::byte*>(data), length * kSizes[type]};
  }
  std::string_view Chars(size_t i) const noexcept {
    const auto bytes = Bytes(i);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  napi_env env_;
  size_t count_ = 0;
  std::array<napi_value, 16> few_{};
  std::vector<napi_value> many_;
};

// Throws, in place of what Node-API may have thrown itself.
inline napi_value Refuse(napi_env env, const Status& status) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  napi_value ignored = nullptr;
  if (pending) napi_get_and_clear_last_exception(env, &ignored);
  Throw(env, status.code(), status.message());
  return nullptr;
}

inline Status OutOfMemory() { return {Code::kResourceExhausted, "Out of memory: send less at a time"}; }

// Runs the body of a function of JavaScript, through which no C++ exception may pass.
template <typename Body>
napi_value Guard(napi_env env, Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Refuse(env, OutOfMemory());
  }
}

inline napi_value ToNumber(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

}  // namespace millrace
