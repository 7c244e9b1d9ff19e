// Numbers: the grammar against another reading of it, the values against the C++ library's.
#include <charconv>
#include <cmath>
#include <string>

#include "codec/number.h"
#include "support.h"

using namespace millrace;
using fuzz::Claim;

namespace {

// Where the number at the front of the text ends by the grammar of JSON, or null if it is none.
const char* EndOf(const char* at, const char* end) {
  const auto digits = [&] {
    const char* const first = at;
    while (at != end && *at >= '0' && *at <= '9') ++at;
    return at != first;
  };
  if (at != end && *at == '-') ++at;
  const bool zero = at != end && *at == '0';
  const char* const whole = at;
  if (!digits() || (zero && at - whole > 1)) return nullptr;
  if (at != end && *at == '.') {
    ++at;
    if (!digits()) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return nullptr;
  }
  return at;
}

template <class Integer>
void CompareInteger(const Number& number) {
  Integer ours = 0;
  Integer theirs = 0;
  const auto [stop, error] = std::from_chars(number.begin, number.end, theirs);
  bool expected = error == std::errc() && stop == number.end;
  // from_chars takes no sign for these; -0 is a 0 like any other.
  if (std::is_unsigned_v<Integer> && number.negative) {
    expected = number.integer && std::string_view(number.begin, number.end) == "-0";
    theirs = 0;
  }
  Claim(ToInteger(number, ours) == expected, "an integer is one, and fits, or not");
  Claim(!expected || ours == theirs, "an integer has its value");
}

// As an element of an array the number is read at once, and as the same, or not at all.
void ComparePlain(const std::string& text) {
  const std::string element = (text + ",").append(64, '0');
  const char* const end = element.data() + element.size();
  const char* at = element.data();
  float plain = 0;
  if (!ReadPlainFloat(at, end, plain)) return;
  Number number;
  float value = 0;
  Claim(ScanNumber(element.data(), end, number), "a plain float is a number");
  Claim(at == number.end && *at == ',', "a plain float ends where the number does, before a comma");
  Claim(ToFloat(number, value), "a plain float is in range");
  Claim(std::memcmp(&plain, &value, sizeof value) == 0, "a plain float has the number's value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // With an end that is the string's own: a byte read beyond it is seen.
  const std::string text(reinterpret_cast<const char*>(data), size);
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  ComparePlain(text);
  Number number;
  const bool scanned = ScanNumber(begin, end, number);
  const char* const expected = EndOf(begin, end);
  Claim(scanned == (expected != nullptr), "a number is one by the grammar, or not");
  if (!scanned) return 0;
  Claim(number.end == expected, "a number ends where the grammar says");

  const double wide = std::strtod(std::string(begin, number.end).c_str(), nullptr);
  double ours = 0;
  Claim(ToDouble(number, ours) == std::isfinite(wide), "a double is in range, or not");
  if (std::isfinite(wide)) {
    Claim(std::memcmp(&ours, &wide, sizeof wide) == 0, "a double is the nearest");
    float narrow = 0;
    // Of a finite double that is too large, the nearest float is infinite.
    const bool fits = wide > -0x1.ffffffp127 && wide < 0x1.ffffffp127;
    Claim(ToFloat(number, narrow) == fits, "a float is in range, or not");
    if (fits) {
      const auto theirs = static_cast<float>(wide);
      Claim(std::memcmp(&narrow, &theirs, sizeof narrow) == 0, "a float is the double's nearest");
    }
  }
  CompareInteger<int8_t>(number);
  CompareInteger<uint16_t>(number);
  CompareInteger<int64_t>(number);
  CompareInteger<uint64_t>(number);
  return 0;
}
