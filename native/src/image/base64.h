// Decodes base64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

// Returns the number of bytes that a text of base64 stands for, or nothing if no base64 has its length or padding. The
// characters before the padding are not looked at.
std::optional<size_t> Base64Size(std::string_view text) noexcept;

// Writes the bytes that the text stands for (see Base64Size) to `bytes`. Returns false if the text is not base64 as in
// RFC 4648, section 4: it has other characters than those of the alphabet, spaces among them, or bits after the last
// byte that are not 0. The padding may be left out.
bool DecodeBase64(std::string_view text, uint8_t* bytes) noexcept;

}  // namespace millrace
