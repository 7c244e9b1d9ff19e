// Helpers for the tests of the codec: texts in memory of their exact size, so that a sanitizer detects a read
// beyond the end, and tensors made of values.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json_buffer.h"
#include "codec/json_cursor.h"
#include "codec/tensor_parser.h"
#include "support/element_buffer.h"
#include "support/requests.h"

namespace millrace::test {

// The factor by which long tests do less under a sanitizer.
#ifdef __SANITIZE_ADDRESS__
inline constexpr int kSlowness = 8;
#else
inline constexpr int kSlowness = 1;
#endif

class ExactText {
 public:
  explicit ExactText(std::string_view text)
      : size_(text.size()), memory_(std::make_unique<char[]>(text.size())) {
    std::copy(text.begin(), text.end(), memory_.get());
  }
  std::string_view view() const { return {memory_.get(), size_}; }

 private:
  const size_t size_;
  std::unique_ptr<char[]> memory_;
};

struct Parsed {
  bool ok = false;
  std::string error;
  // The position of the cursor afterwards.
  size_t position = 0;
  std::vector<std::byte> numbers;
  std::vector<std::string> strings;

  template <class T>
  std::vector<T> As() const {
    std::vector<T> values(numbers.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), numbers.data(), values.size() * sizeof(T));
    return values;
  }
};

inline Parsed Parse(std::string_view text, ElementType type,
                    NonFinite non_finite = NonFinite::kError) {
  const ExactText exact(text);
  JsonCursor cursor(exact.view());
  ElementBuffer buffer(text);
  Parsed parsed;
  parsed.ok = ParseTensor(cursor, type, non_finite, buffer);
  parsed.error = cursor.error();
  parsed.position = cursor.position();
  parsed.numbers.assign(buffer.numbers().begin(), buffer.numbers().end());
  parsed.strings = buffer.strings();
  return parsed;
}

// A view of `values`, which must outlive it.
template <class T>
TensorView ViewOf(ElementType type, const std::vector<T>& values) {
  TensorView view;
  view.type = type;
  view.shape = MakeShape({static_cast<int64_t>(values.size())});
  view.data = reinterpret_cast<const std::byte*>(values.data());
  view.bytes = values.size() * sizeof(T);
  return view;
}

inline TensorView ViewOf(const std::vector<std::string>& strings) {
  TensorView view;
  view.type = ElementType::kString;
  view.shape = MakeShape({static_cast<int64_t>(strings.size())});
  view.strings = strings.data();
  return view;
}

}  // namespace millrace::test
