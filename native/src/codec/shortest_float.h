// The shortest decimal text of a float32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

// Bytes that WriteFloat may touch, and more than it ever uses.
inline constexpr size_t kFloatRoom = 32;

// Writes the shortest text that reads back as `value`, which is finite, and of those the one nearest to
// it; by the grammar of JSON. Returns where it ends.
//
// std::to_chars gives as many digits, but takes three times as long on numbers it has not seen before:
// its branches depend on each value (.github/decisions holds the measurement).
char* WriteFloat(char* at, float value) noexcept;

}  // namespace millrace
