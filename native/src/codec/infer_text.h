// Parsers of the parts of requests: objects, arrays, strings and parameters. Their errors name the part.
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

// The most bytes in JSON of an id, a name, and the string of a parameter, each of which becomes a JavaScript string. A
// client that sends more has put its data in the wrong place.
inline constexpr size_t kMaxText = size_t{64} << 10;

// Integers are exact: signed if they fit, otherwise unsigned. Other numbers are doubles.
struct Parameter {
  std::string name;
  std::variant<bool, int64_t, uint64_t, double, std::string> value;
};
using Parameters = std::vector<Parameter>;

// Returns the parameter with this name, or null.
const Parameter* Find(const Parameters& parameters, std::string_view name) noexcept;

// The part of a request that an error is about. Its text is made only if there is an error.
struct Owner {
  const char* kind;                   // "The request", "Input" or "Output"
  size_t number = 0;                  // its index among the parts of its kind
  const std::string* name = nullptr;  // empty until it is known; null for the request itself

  std::string Text() const;
};

// Returns a client's text for a message: in single quotes, and cut so that the message stays short.
std::string Quoted(std::string_view text);

// Returns kInvalidArgument with the message "<owner> <what>".
Status Invalid(const Owner& owner, std::string_view what);

// Returns kInvalidArgument with the message "The request is not valid JSON: <error of the cursor>".
Status Malformed(const JsonCursor& cursor);

// Returns why ReadKey has failed on a key of an object of `owner`.
Status WrongKey(const JsonCursor& cursor, const Owner& owner);

// The names of the known members of an object, at most 32, and a record of those that were read.
class Members {
 public:
  Members(std::initializer_list<std::string_view> names) noexcept : names_(names) {}

  // Returns the index of a member among the names, or -1 if it is not known. `fresh` is false if the member was read
  // before.
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

// Reads an object, and calls read(index) at the value of each member in `members`. Other members are skipped. A
// duplicate member is refused, because parsers differ in which of the two they use.
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

// Reads the array `member` of at most `most` elements, and calls read() at each of them.
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

// Reads an object of at most `most` strings, numbers and booleans. null counts as an empty object.
Status ReadParameters(JsonCursor& cursor, const Owner& owner, size_t most, Parameters& parameters);

}  // namespace millrace
