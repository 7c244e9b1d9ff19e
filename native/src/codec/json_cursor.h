// A position in a JSON text, and the steps a parser takes from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

// Deepest nesting that is followed. Deeper texts are refused, and no depth costs stack.
inline constexpr size_t kMaxDepth = 100;

// What stands for the floats that JSON has no text for.
enum class NonFinite : uint8_t {
  kError,    // nothing: they are refused
  kNull,     // null, as JSON.stringify has it; read, it is a NaN
  kLiteral,  // NaN, Infinity and -Infinity, as Triton has it; read, Inf is an Infinity too
  kString,   // the same words as strings; written only
  kAny,      // null and the words of kLiteral; read only
};

// Whether the words NaN and Infinity are read as numbers.
constexpr bool ReadsWords(NonFinite non_finite) noexcept {
  return non_finite == NonFinite::kLiteral || non_finite == NonFinite::kAny;
}

// Every step skips white space before it. A step that fails returns false, leaves a sentence fragment
// such as "expected ',' or ']' at byte 17" in error(), and must be the last. Bytes are counted from
// the front of the text. Text outside the grammar of RFC 8259 or not in UTF-8 fails, with the one
// exception that NonFinite::kLiteral and NonFinite::kAny ask for.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text, size_t first = 0) noexcept
      : at(text.data() + first), end(text.data() + text.size()), begin_(text.data()) {}

  // For the loops of tensor parsers. `at` is the next byte.
  const char* at;
  const char* const end;

  size_t position() const noexcept { return static_cast<size_t>(at - begin_); }
  const std::string& error() const noexcept { return error_; }

  // Fails with "<what> at byte <of where>".
  bool Fail(const char* where, std::string_view what);
  // The same at `at`; at the end of the text that is what is said.
  bool Fail(std::string_view what);

  void SkipSpace() noexcept {
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  }

  // True, and past it, if `byte` is next. Never fails.
  bool Take(char byte) noexcept {
    SkipSpace();
    if (at == end || *at != byte) return false;
    ++at;
    return true;
  }

  // Fails if `byte` is not next.
  bool Expect(char byte);

  // True, and past it, if `word` is next, with no white space before it. Never fails.
  bool TakeWord(std::string_view word) noexcept;

  // Past the comma and true if another member follows, past `closer` and false in `more` if none does.
  bool NextOrClose(char closer, bool& more);

  // The characters of a string: a view of the text, or of memory that the next call reuses. Half a
  // surrogate pair becomes U+FFFD. Reading ends as soon as the string, as written, has more than `most`
  // bytes, so that a long one costs no more than that.
  bool ReadString(std::string_view& text, size_t most = SIZE_MAX);

  // A member's name and the colon after it; as ReadString.
  bool ReadKey(std::string_view& key, size_t most = SIZE_MAX);

  // Whether the last failure was a string that is longer than allowed.
  bool too_long() const noexcept { return too_long_; }

  // Past a value of any kind, which is checked against the grammar.
  bool SkipValue(NonFinite non_finite = NonFinite::kError);

 private:
  bool ReadEscape();
  bool ReadUnicodeEscape();
  bool ReadHex(char32_t& unit);
  bool SkipScalar(NonFinite non_finite);

  const char* const begin_;
  std::string unescaped_;
  std::string error_;
  bool too_long_ = false;
};

}  // namespace millrace
