// Whole numbers among the numbers of JavaScript.
#pragma once

#include <cmath>
#include <cstddef>

namespace millrace {

// The largest number up to which doubles hold every whole number, Number.MAX_SAFE_INTEGER.
inline constexpr size_t kMaxSafeInteger = 9'007'199'254'740'991;

// Returns whether a number is whole and from `least` to `most`. NaN is not.
inline bool IsWhole(double number, double least, double most) noexcept {
  return number >= least && number <= most && std::trunc(number) == number;
}

// Returns whether a number is whole and from 0 to `most`; if so, `size` becomes it.
inline bool ToSize(double number, size_t most, size_t& size) noexcept {
  if (!IsWhole(number, 0, static_cast<double>(most))) return false;
  size = static_cast<size_t>(number);
  return true;
}

}  // namespace millrace
