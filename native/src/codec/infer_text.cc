#include "codec/infer_text.h"

#include "codec/number.h"
#include "codec/utf8.h"

namespace millrace {
namespace {

Status ReadParameter(JsonCursor& cursor, const Owner& owner, Parameter& parameter) {
  const auto wrong = [&](std::string_view what) {
    return Invalid(owner, "has a parameter " + Quoted(parameter.name) + std::string(what));
  };
  cursor.SkipSpace();
  if (cursor.at != cursor.end && *cursor.at == '"') {
    std::string_view text;
    if (!cursor.ReadString(text, kMaxText)) {
      if (!cursor.too_long()) return Malformed(cursor);
      return wrong(" of more than " + std::to_string(kMaxText) + " bytes");
    }
    parameter.value = std::string(text);
    return {};
  }
  const bool yes = cursor.TakeWord("true");
  if (yes || cursor.TakeWord("false")) {
    parameter.value = yes;
    return {};
  }
  Number number;
  if (!ScanNumber(cursor.at, cursor.end, number)) {
    return wrong(" that is not a string, number or boolean");
  }
  cursor.at = number.end;
  int64_t integer = 0;
  uint64_t natural = 0;
  double real = 0;
  if (ToInteger(number, integer)) {
    parameter.value = integer;
  } else if (ToInteger(number, natural)) {
    parameter.value = natural;
  } else if (ToDouble(number, real)) {
    parameter.value = real;
  } else {
    return wrong(" that is too large for a number");
  }
  return {};
}

}  // namespace

const Parameter* Find(const Parameters& parameters, std::string_view name) noexcept {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 100;
  size_t length = 0;
  while (length < text.size() && length < kLongest) length += SequenceLength(text.substr(length));
  return "'" + std::string(text.substr(0, length)) + (length < text.size() ? "…'" : "'");
}

std::string Owner::Text() const {
  if (name == nullptr) return kind;
  return kind + (name->empty() ? " number " + std::to_string(number) : " " + Quoted(*name));
}

Status Invalid(const Owner& owner, std::string_view what) {
  return {Code::kInvalidArgument, owner.Text() + " " + std::string(what)};
}

Status Malformed(const JsonCursor& cursor) {
  return {Code::kInvalidArgument, "The request is not valid JSON: " + cursor.error()};
}

Status WrongKey(const JsonCursor& cursor, const Owner& owner) {
  if (!cursor.too_long()) return Malformed(cursor);
  return Invalid(owner, "has a member whose name has more than " + std::to_string(kMaxText) + " bytes");
}

Status ReadText(JsonCursor& cursor, const Owner& owner, const char* member, std::string& text) {
  cursor.SkipSpace();
  if (cursor.at == cursor.end || *cursor.at != '"') {
    return Invalid(owner, std::string("has a member '") + member + "' that is not a string");
  }
  std::string_view view;
  if (!cursor.ReadString(view, kMaxText)) {
    if (!cursor.too_long()) return Malformed(cursor);
    return Invalid(owner, std::string("has a member '") + member + "' of more than " +
                              std::to_string(kMaxText) + " bytes: expected a short string");
  }
  text = view;
  return {};
}

Status ReadParameters(JsonCursor& cursor, const Owner& owner, size_t most, Parameters& parameters) {
  if (cursor.TakeWord("null")) return {};
  if (!cursor.Take('{')) return Invalid(owner, "has a member 'parameters' that is not an object");
  bool more = !cursor.Take('}');
  while (more) {
    std::string_view key;
    if (!cursor.ReadKey(key, kMaxText)) return WrongKey(cursor, owner);
    if (Find(parameters, key) != nullptr) {
      return Invalid(owner, "has the parameter " + Quoted(key) + " twice");
    }
    if (parameters.size() == most) {
      return Invalid(owner, "has more than " + std::to_string(most) + " parameters");
    }
    parameters.push_back({std::string(key), false});
    MILLRACE_RETURN_IF_ERROR(ReadParameter(cursor, owner, parameters.back()));
    if (!cursor.NextOrClose('}', more)) return Malformed(cursor);
  }
  return {};
}

}  // namespace millrace
