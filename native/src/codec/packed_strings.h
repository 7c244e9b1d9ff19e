// Packed strings: strings of any bytes, each preceded by its length as a little-endian 32-bit integer. This is the
// binary data of BYTES tensors in the Open Inference Protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace millrace {

inline constexpr size_t kPackedLength = sizeof(uint32_t);

// Reads packed strings one by one.
class PackedStrings {
 public:
  explicit PackedStrings(std::string_view bytes) noexcept : left_(bytes) {}

  // Reads the next string. Returns false at the end, and if the bytes end in the middle of a string.
  bool Next(std::string_view& element) noexcept {
    uint32_t length = 0;
    if (left_.size() < sizeof length) return false;
    std::memcpy(&length, left_.data(), sizeof length);
    if (length > left_.size() - sizeof length) return false;
    element = left_.substr(sizeof length, length);
    left_.remove_prefix(sizeof length + length);
    return true;
  }

  // Returns whether everything has been read.
  bool done() const noexcept { return left_.empty(); }

 private:
  std::string_view left_;
};

// Returns whether `bytes` are exactly `count` packed strings.
inline bool HoldsPackedStrings(std::string_view bytes, size_t count) noexcept {
  PackedStrings strings(bytes);
  std::string_view element;
  while (count > 0 && strings.Next(element)) --count;
  return count == 0 && strings.done();
}

// Writes a string at `at` and returns the address of the next one.
inline std::byte* PackString(std::string_view element, std::byte* at) noexcept {
  const auto length = static_cast<uint32_t>(element.size());
  std::memcpy(at, &length, sizeof length);
  if (length != 0) std::memcpy(at + sizeof length, element.data(), length);
  return at + sizeof length + length;
}

}  // namespace millrace
