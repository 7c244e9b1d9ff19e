#include "codec/json_cursor.h"

#include <algorithm>
#include <bitset>

#include "codec/number.h"
#include "codec/utf8.h"

namespace millrace {

bool JsonCursor::Fail(const char* where, std::string_view what) {
  error_.assign(what);
  error_ += " at byte ";
  error_ += std::to_string(where - begin_);
  return false;
}

bool JsonCursor::Fail(std::string_view what) {
  if (at == end) return Fail(at, std::string(what) + ", but the text ends");
  return Fail(at, what);
}

bool JsonCursor::Expect(char byte) {
  if (Take(byte)) return true;
  return Fail(std::string("expected '") + byte + "'");
}

bool JsonCursor::TakeWord(std::string_view word) noexcept {
  if (!std::string_view(at, static_cast<size_t>(end - at)).starts_with(word)) return false;
  at += word.size();
  return true;
}

bool JsonCursor::NextOrClose(char closer, bool& more) {
  more = Take(',');
  if (more || Take(closer)) return true;
  return Fail(std::string("expected ',' or '") + closer + "'");
}

bool JsonCursor::ReadString(std::string_view& text, size_t most) {
  unescaped_.clear();
  return ScanString(&unescaped_, text, most);
}

bool JsonCursor::SkipString() {
  std::string_view text;
  return ScanString(nullptr, text, SIZE_MAX);
}

bool JsonCursor::ScanString(std::string* unescaped, std::string_view& text, size_t most) {
  if (!Take('"')) return Fail("expected a string");
  const char* copied = at;  // if there was an escape, the text before this is in `unescaped`
  const char* const stop = at + std::min(most, static_cast<size_t>(end - at));
  bool escaped = false;
  for (;;) {
    // An escape may have ended past `stop`.
    if (at >= stop && (at == end || *at != '"')) {
      too_long_ = at != end;
      if (!too_long_) return Fail("expected the end of a string");
      return Fail("a string of more than " + std::to_string(most) + " bytes");
    }
    const auto byte = static_cast<unsigned char>(*at);
    if (byte == '"') break;
    if (byte == '\\') {
      escaped = true;
      if (unescaped != nullptr) unescaped->append(copied, at);
      if (!ScanEscape(unescaped)) return false;
      copied = at;
    } else if (byte < 0x20) {
      return Fail("a control character that must be escaped");
    } else if (byte < 0x80) {
      ++at;
    } else {
      const size_t length = SequenceLength({at, static_cast<size_t>(end - at)});
      if (length == 0) return Fail("a byte that is not UTF-8");
      at += length;
    }
  }
  text = {copied, at};
  if (escaped && unescaped != nullptr) text = unescaped->append(copied, at);
  ++at;
  return true;
}

bool JsonCursor::ScanEscape(std::string* unescaped) {
  const char* const backslash = at++;
  if (at == end) return Fail("expected an escape");
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  if (*at == 'u') {
    ++at;
    return ScanUnicodeEscape(unescaped);
  }
  const size_t index = kNames.find(*at);
  if (index == std::string_view::npos) return Fail(backslash, "an unknown escape");
  if (unescaped != nullptr) unescaped->push_back(kValues[index]);
  ++at;
  return true;
}

bool JsonCursor::ScanUnicodeEscape(std::string* unescaped) {
  const auto is_high = [](char32_t unit) { return unit >= 0xd800 && unit < 0xdc00; };
  const auto is_low = [](char32_t unit) { return unit >= 0xdc00 && unit < 0xe000; };
  const auto append = [unescaped](char32_t code) {
    if (unescaped != nullptr) AppendUtf8(code, *unescaped);
  };
  char32_t unit = 0;
  if (!ReadHex(unit)) return false;
  while (is_high(unit)) {
    if (!std::string_view(at, static_cast<size_t>(end - at)).starts_with("\\u")) break;
    at += 2;
    char32_t next = 0;
    if (!ReadHex(next)) return false;
    if (is_low(next)) {
      append(0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
      return true;
    }
    append(kReplacement);
    unit = next;
  }
  append(is_high(unit) || is_low(unit) ? kReplacement : unit);
  return true;
}

bool JsonCursor::ReadHex(char32_t& unit) {
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    if (at == end) return Fail("expected four hexadecimal digits");
    const auto digit = static_cast<unsigned char>(*at);
    const auto letter = static_cast<unsigned char>(digit | 0x20);
    if (digit >= '0' && digit <= '9') {
      unit = unit * 16 + (digit - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      unit = unit * 16 + (letter - 'a') + 10;
    } else {
      return Fail("expected four hexadecimal digits");
    }
  }
  return true;
}

bool JsonCursor::ExpectKey() {
  SkipSpace();
  return (at != end && *at == '"') || Fail("expected a name in double quotes");
}

bool JsonCursor::ReadKey(std::string_view& key, size_t most) {
  return ExpectKey() && ReadString(key, most) && Expect(':');
}

bool JsonCursor::SkipKey() { return ExpectKey() && SkipString() && Expect(':'); }

bool JsonCursor::SkipScalar(NonFinite non_finite) {
  SkipSpace();
  if (at != end && *at == '"') return SkipString();
  Number number;
  if (ScanNumber(at, end, number)) {
    at = number.end;
    return true;
  }
  if (TakeWord("true") || TakeWord("false") || TakeWord("null")) return true;
  if (ReadsWords(non_finite) &&
      (TakeWord("NaN") || TakeWord("Infinity") || TakeWord("-Infinity"))) {
    return true;
  }
  return Fail("expected a value");
}

bool JsonCursor::SkipValue(NonFinite non_finite) {
  std::bitset<kMaxDepth> objects;
  size_t depth = 0;
  for (;;) {
    const bool object = Take('{');
    if (object || Take('[')) {
      if (depth == kMaxDepth) return Fail("nesting of more than 100 levels");
      objects[depth++] = object;
      if (Take(object ? '}' : ']')) {
        --depth;
      } else if (object) {
        if (!SkipKey()) return false;
        continue;
      } else {
        continue;
      }
    } else if (!SkipScalar(non_finite)) {
      return false;
    }
    bool more = false;
    while (depth > 0 && !more) {
      if (!NextOrClose(objects[depth - 1] ? '}' : ']', more)) return false;
      if (!more) --depth;
    }
    if (depth == 0) return true;
    if (objects[depth - 1] && !SkipKey()) return false;
  }
}

}  // namespace millrace
