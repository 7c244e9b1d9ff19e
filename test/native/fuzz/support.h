// What the fuzz targets share: an input taken apart, and claims that end the process when they fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

#include "batching/tensor.h"
#include "codec/json_cursor.h"

namespace millrace::fuzz {

// libFuzzer keeps the input that led here.
inline void Claim(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "This does not hold: %s\n", what);
  std::abort();
}

// The front of the input decides on options, the rest is text or data.
class Source {
 public:
  Source(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  size_t Below(size_t limit) { return Byte() % limit; }
  uint16_t Pair() { return static_cast<uint16_t>(Byte() << 8 | Byte()); }
  float Real() {
    float value = 0;
    const std::string_view bytes = Take(sizeof value);
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

  // Up to `most` bytes.
  std::string_view Take(size_t most) {
    const std::string_view taken = rest_.substr(0, most);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

inline constexpr ElementType kTypes[] = {
    ElementType::kFloat32, ElementType::kFloat64,  ElementType::kFloat16, ElementType::kBfloat16,
    ElementType::kInt8,    ElementType::kInt16,    ElementType::kInt32,   ElementType::kInt64,
    ElementType::kUint8,   ElementType::kUint16,   ElementType::kUint32,  ElementType::kUint64,
    ElementType::kBool,    ElementType::kString,
};

inline ElementType TypeOf(Source& source) { return kTypes[source.Below(std::size(kTypes))]; }

inline NonFinite NonFiniteOf(Source& source) { return static_cast<NonFinite>(source.Below(3)); }

}  // namespace millrace::fuzz
