// What requests are made of: objects, arrays, strings and parameters, with errors that name their owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "batching/status.h"
#include "codec/json_cursor.h"

namespace millrace {

// Most bytes, as written in JSON, of an id, of a name and of a parameter's string: a client that sends
// more has put its data in the wrong place, and each of these becomes a string of JavaScript.
inline constexpr size_t kMaxText = size_t{64} << 10;

// Integers are exact: signed where they fit, unsigned above that, double if written otherwise.
struct Parameter {
  std::string name;
  std::variant<bool, int64_t, uint64_t, double, std::string> value;
};
using Parameters = std::vector<Parameter>;

// The parameter of that name, or null.
const Parameter* Find(const Parameters& parameters, std::string_view name) noexcept;

// Whom an error is about. Its text is made only when there is one.
struct Owner {
  const char* kind;                   // "The request", "Input" or "Output"
  size_t number = 0;                  // among its kind
  const std::string* name = nullptr;  // empty while it is not known; null for the request itself

  std::string Text() const;
};

// A client's text in a message: in single quotes and cut, so that no message is long.
std::string Quoted(std::string_view text);

// kInvalidArgument, "<owner> <what>".
Status Invalid(const Owner& owner, std::string_view what);

// kInvalidArgument, "The request is not valid JSON: <error of the cursor>".
Status Malformed(const JsonCursor& cursor);

// What is wrong where ReadKey failed on a key of an object that `owner` has.
Status WrongKey(const JsonCursor& cursor, const Owner& owner);

// The names of an object's members, and which of them were seen. At most 32.
class Members {
 public:
  Members(std::initializer_list<std::string_view> names) noexcept : names_(names) {}

  // The number of a member among the names, or -1. `fresh` is false if it was seen before.
  int See(std::string_view name, bool& fresh) noexcept {
    const auto* const found = std::find(names_.begin(), names_.end(), name);
    fresh = true;
    if (found == names_.end()) return -1;
    const auto index = static_cast<int>(found - names_.begin());
    fresh = (seen_ & 1u << index) == 0;
    seen_ |= 1u << index;
    return index;
  }

 private:
  std::initializer_list<std::string_view> names_;
  uint32_t seen_ = 0;
};

// Reads an object, calling read(number) at the value of each member that `members` names. Others are
// skipped. A member given twice is refused: who wins would be each reader's own guess.
template <typename Read>
Status ReadObject(JsonCursor& cursor, const Owner& owner, NonFinite non_finite, Members members,
                  Read&& read) {
  if (!cursor.Take('{')) return Invalid(owner, "must be a JSON object");
  bool more = !cursor.Take('}');
  while (more) {
    std::string_view key;
    if (!cursor.ReadKey(key, kMaxText)) return WrongKey(cursor, owner);
    bool fresh = false;
    const int member = members.See(key, fresh);
    if (!fresh) return Invalid(owner, "has the member " + Quoted(key) + " twice");
    cursor.SkipSpace();
    if (member >= 0) {
      MILLRACE_RETURN_IF_ERROR(read(member));
    } else if (!cursor.SkipValue(non_finite)) {
      return Malformed(cursor);
    }
    if (!cursor.NextOrClose('}', more)) return Malformed(cursor);
  }
  return {};
}

// Reads the array `member` of at most `most` elements, calling read() at each of them.
template <typename Read>
Status ReadArray(JsonCursor& cursor, const Owner& owner, const char* member, size_t most,
                 Read&& read) {
  const auto named = [&] { return std::string("has a member '") + member + "' "; };
  if (!cursor.Take('[')) return Invalid(owner, named() + "that is not an array");
  bool more = !cursor.Take(']');
  for (size_t count = 1; more; ++count) {
    if (count > most) {
      return Invalid(owner, named() + "with more than " + std::to_string(most) + " elements");
    }
    cursor.SkipSpace();
    MILLRACE_RETURN_IF_ERROR(read());
    if (!cursor.NextOrClose(']', more)) return Malformed(cursor);
  }
  return {};
}

// Reads the string that is the value of `member`.
Status ReadText(JsonCursor& cursor, const Owner& owner, const char* member, std::string& text);

// Reads an object of strings, numbers and booleans, at most `most` of them. null is an empty one.
Status ReadParameters(JsonCursor& cursor, const Owner& owner, size_t most, Parameters& parameters);

}  // namespace millrace
