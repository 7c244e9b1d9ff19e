// Decodes base64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

// Returns the characters of a text of base64 that stand for bytes, which are those before the padding. The padding may be left out.
std::string_view WithoutPadding(std::string_view text) noexcept;

// Returns the number of bytes that this many characters without padding stand for, or nothing if no base64 has as many.
std::optional<size_t> Base64Size(size_t characters) noexcept;

// Writes the bytes that characters without padding stand for to `bytes`: never more than Base64Size, even if another thread
// changes the characters meanwhile. Returns false if they are not base64 as in RFC 4648, section 4: there are other characters
// than those of the alphabet, spaces among them, or bits after the last byte that are not 0.
bool DecodeBase64(std::string_view characters, uint8_t* bytes) noexcept;

}  // namespace millrace
