// A position in a JSON text, and the steps of a parser from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

// The deepest nesting of arrays and objects. Deeper JSON is refused. The parsers do not recurse.
inline constexpr size_t kMaxDepth = 100;

// How NaN and infinities, which JSON does not have, are read and written.
enum class NonFinite : uint8_t {
  kError,    // They are refused.
  kNull,     // Written as null, as JSON.stringify does; null is read as NaN.
  kLiteral,  // NaN, Infinity and -Infinity, as in Triton; Inf is read as Infinity, too.
  kString,   // Written as these words in quotes. Not for reading.
  kAny,      // Reads null and the words of kLiteral. Not for writing.
};

// Returns whether the words NaN and Infinity are read as numbers.
constexpr bool ReadsWords(NonFinite non_finite) noexcept {
  return non_finite == NonFinite::kLiteral || non_finite == NonFinite::kAny;
}

// Every step skips white space before it. A step that fails returns false and must be the last; error() is then a part
// of a sentence such as "expected ',' or ']' at byte 17", with the offset in the text. Text that does not follow the
// grammar of RFC 8259 or is not UTF-8 fails, except for the words that NonFinite::kLiteral and NonFinite::kAny allow.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text, size_t first = 0) noexcept
      : at(text.data() + first), end(text.data() + text.size()), begin_(text.data()) {}

  // The next byte and the end, for the loops of tensor parsers.
  const char* at;
  const char* const end;

  size_t position() const noexcept { return static_cast<size_t>(at - begin_); }
  const std::string& error() const noexcept { return error_; }

  // Fails with "<what> at byte <offset of where>".
  bool Fail(const char* where, std::string_view what);
  // Fails at `at`. At the end of the text the error says that it ends there.
  bool Fail(std::string_view what);

  void SkipSpace() noexcept {
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  }

  // Moves past `byte` and returns true if it is next. Never fails.
  bool Take(char byte) noexcept {
    SkipSpace();
    if (at == end || *at != byte) return false;
    ++at;
    return true;
  }

  // Moves past `byte`. Fails if it is not next.
  bool Expect(char byte);

  // Moves past `word` and returns true if it is next, without white space before it. Never fails.
  bool TakeWord(std::string_view word) noexcept;

  // Moves past the comma if another member follows, and past `closer` if none does; `more` says which.
  bool NextOrClose(char closer, bool& more);

  // Reads a string. The result is a view of the text, or of memory that the next call reuses. A lone surrogate becomes
  // U+FFFD. Fails as soon as the string has more than `most` bytes in JSON, so that a long string costs no more.
  bool ReadString(std::string_view& text, size_t most = SIZE_MAX);

  // Reads a member's name, as ReadString does, and the colon after it.
  bool ReadKey(std::string_view& key, size_t most = SIZE_MAX);

  // Returns whether the failure is a string that is longer than allowed.
  bool too_long() const noexcept { return too_long_; }

  // Moves past any value, and checks its grammar. Takes no memory, however long its strings are.
  bool SkipValue(NonFinite non_finite = NonFinite::kError);

 private:
  // What a string stands for is appended to `unescaped`; nullptr only checks the grammar.
  bool ScanString(std::string* unescaped, std::string_view& text, size_t most);
  bool ScanEscape(std::string* unescaped);
  bool ScanUnicodeEscape(std::string* unescaped);
  bool ReadHex(char32_t& unit);
  bool SkipString();
  // Moves to the opening quote of a member's name, which must be next.
  bool ExpectKey();
  bool SkipKey();
  bool SkipScalar(NonFinite non_finite);

  const char* const begin_;
  std::string unescaped_;
  std::string error_;
  bool too_long_ = false;
};

}  // namespace millrace
