// Options of a device, one `name=value` a line: what is let through fits its row.
#include <string>

#include "codec/utf8.h"
#include "ort/options.h"
#include "support.h"

using namespace millrace;
using fuzz::Claim;

namespace {

constexpr OptionRow::Choice kChoices[] = {{"fast", "0"}, {"exact", "1"}};
constexpr OptionRow kTable[] = {
    {.name = "flag", .key = "ort_flag", .kind = OptionRow::Kind::kFlag},
    {.name = "limit", .key = "ort_limit", .kind = OptionRow::Kind::kNumber, .min = -5, .max = 4096},
    {.name = "free", .key = "", .kind = OptionRow::Kind::kNumber, .min = 1},
    {.name = "mode", .key = "ort_mode", .kind = OptionRow::Kind::kChoice, .choices = kChoices},
    {.name = "path", .key = "ort_path", .kind = OptionRow::Kind::kText},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  KeyValues typed;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t middle = std::min(line.find('='), line.size());
    typed.emplace_back(line.substr(0, middle), line.substr(std::min(middle + 1, line.size())));
  }
  KeyValues out;
  const Status status = TranslateOptions("cuda", kTable, typed, out);
  if (!status.ok()) {
    Claim(!status.message().empty(), "a refusal is a sentence");
    return 0;
  }
  Claim(out.size() == typed.size(), "every option arrives");
  for (const auto& [key, value] : out) {
    Claim(!value.empty(), "no value is empty");
    if (key == "ort_flag" || key == "ort_mode") {
      Claim(value == "0" || value == "1", "a flag or a choice has one of two values");
    }
    if (key == "ort_limit") {
      const long long number = std::strtoll(value.c_str(), nullptr, 10);
      Claim(number >= -5 && number <= 4096, "a number in its range");
    }
  }
  return 0;
}
