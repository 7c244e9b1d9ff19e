#include "ort/messages.h"

#include <algorithm>
#include <array>

namespace millrace {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Returns the position after the bracket that closes the group that opens at `at`, or the end of the text.
size_t EndOfGroup(std::string_view text, size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '(' || text[at] == '[') ++depth;
    if ((text[at] == ')' || text[at] == ']') && --depth == 0) return at + 1;
  }
  return text.size();
}

// Returns the end of the function's name or signature that starts at `at`, such as
// `void ns::F(int, Status (*)(A)) const [with T = float]` or only `Compute`.
size_t EndOfSignature(std::string_view text, size_t at) {
  const size_t open = text.find('(', at);
  // If a sentence comes before the parenthesis, the parenthesis belongs to the sentence, and the name is one word.
  const std::string_view before = text.substr(at, open - at);
  const size_t word = std::min(text.find(' ', at), text.size());
  const bool is_signature = open != std::string_view::npos &&
                            (before.find("::") != std::string_view::npos || open < word);
  if (!is_signature) return word;
  size_t end = EndOfGroup(text, open);
  for (;;) {
    const std::string_view rest = text.substr(end);
    if (rest.starts_with(" const") || rest.starts_with(" noexcept")) {
      end += rest.find_first_of(" [", 1) == std::string_view::npos ? rest.size()
                                                                   : rest.find_first_of(" [", 1);
    } else if (rest.starts_with(" [with ")) {
      end = EndOfGroup(text, end + 1);
    } else if (rest.starts_with("::")) {
      const size_t next = text.find('(', end);
      if (next == std::string_view::npos) return end;
      end = EndOfGroup(text, next);
      while (end < text.size() && text[end] == '>') ++end;
    } else {
      return end;
    }
  }
}

// Returns the range of the next `file.cc:12 signature ` in the text, or an empty range at its end if there is none.
std::pair<size_t, size_t> NextLocation(std::string_view text, size_t from) {
  for (const size_t size = text.size(); from < size; ++from) {
    if (text[from] != '.') continue;
    size_t at = from;
    for (const char* ending : {".cc:", ".cpp:", ".h:", ".hpp:", ".cu:", ".cuh:"}) {
      if (text.substr(from).starts_with(ending)) at = from + std::string_view(ending).size();
    }
    if (at == from || at == size || !IsDigit(text[at])) continue;
    while (at < size && IsDigit(text[at])) ++at;
    size_t start = from;
    while (start > 0 && !IsSpace(text[start - 1])) --start;
    if (at < size && text[at] == ' ') at = EndOfSignature(text, at + 1);
    return {start, at};
  }
  return {text.size(), text.size()};
}

// Removes `condition was false. ` from the start of the message of a check, and codes such as
// `[ONNXRuntimeError] : 1 : FAIL : `.
std::string_view WithoutCondition(std::string_view text) {
  const size_t check = text.find(" was false. ");
  const size_t sentence = text.find(". ");
  if (check != std::string_view::npos && sentence >= check) text.remove_prefix(check + 12);
  constexpr std::string_view kCode = "[ONNXRuntimeError] : ";
  if (text.starts_with(kCode)) {
    const size_t name = text.find(" : ", kCode.size());
    const size_t end = name == std::string_view::npos ? name : text.find(" : ", name + 3);
    if (end != std::string_view::npos) text.remove_prefix(end + 3);
  }
  return text;
}

std::string InOneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (!IsSpace(c)) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

bool Has(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

// Parts of the messages with which kernels refuse data, whatever their codes are.
constexpr std::array kRefusals = {
    "out of data bounds", "out of bounds",      "ut of range",      "cannot be reshaped",
    "broadcast",          "imension mismatch",  "must match",       "nvalid index",
    "outside of the tensor", "should not be greater", "must be >= 0", "nvalid input shape"};

}  // namespace

std::string PlainMessage(std::string_view message) {
  std::string plain;
  for (size_t at = 0; at < message.size();) {
    const auto [start, end] = NextLocation(message, at);
    plain += message.substr(at, start - at);
    if (start == message.size()) break;
    size_t next = end;
    while (next < message.size() && IsSpace(message[next])) ++next;
    const std::string_view rest = WithoutCondition(message.substr(next));
    at = message.size() - rest.size();
  }
  plain = InOneLine(plain);
  ReplaceAll(plain, "failed:", "failed: ");
  ReplaceAll(plain, "failed:  ", "failed: ");
  return plain;
}

bool SaysOutOfMemory(std::string_view message) noexcept {
  for (const char* sign : {"Failed to allocate memory", "smaller than requested bytes",
                           "out of memory", "bad allocation", "std::bad_alloc"}) {
    if (Has(message, sign)) return true;
  }
  return false;
}

Status ExplainRun(std::string_view message, bool refused) {
  std::string plain = PlainMessage(message);
  if (SaysOutOfMemory(message)) {
    const size_t size = plain.find("buffer of size ");
    std::string wanted;
    for (size_t i = size == std::string::npos ? plain.size() : size + 15;
         i < plain.size() && IsDigit(plain[i]); ++i) {
      wanted += plain[i];
    }
    return {Code::kResourceExhausted, "The run needs more memory than there is" +
                                          (wanted.empty() ? "" : " (" + wanted + " bytes at once)") +
                                          ": send fewer or smaller rows"};
  }
  // A message has the form "… while running Gather node. Name:'…' Status Message: …". The name is left out, because it
  // is internal to the graph.
  constexpr std::string_view kNode = "while running ";
  constexpr std::string_view kReason = "Status Message:";
  const size_t node = plain.find(kNode);
  const size_t reason = plain.find(kReason);
  if (node != std::string::npos && reason != std::string::npos) {
    const size_t name = node + kNode.size();
    const std::string type = plain.substr(name, plain.find_first_of(" .", name) - name);
    std::string_view said(plain);
    said.remove_prefix(std::min(reason + kReason.size() + 1, plain.size()));
    const bool parsing = said == "stod" || said == "stof" || said == "stoi" || said == "stoll";
    refused = refused || parsing;
    plain = type + " node: " + std::string(parsing ? "a string is not a number" : said);
  }
  for (const char* sign : kRefusals) refused = refused || Has(plain, sign);
  if (refused) return {Code::kInvalidArgument, "The model refuses the inputs: " + plain};
  return {Code::kInternal, std::move(plain)};
}

}  // namespace millrace
