// Typed options of a provider: their names and values in the API, and what ONNX Runtime calls them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batching/status.h"

namespace millrace {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// One option. The value arrives as text: `true`, `4096`, or one of `choices`.
struct OptionRow {
  enum class Kind : uint8_t { kFlag, kNumber, kChoice, kText };
  struct Choice {
    std::string_view name;
    std::string_view value;
  };

  std::string_view name;
  // ONNX Runtime's key. Empty for what millrace itself does; its value stays as it was written, but
  // for flags, which become `1` and `0`.
  std::string_view key;
  Kind kind;
  // With kNumber.
  int64_t min = 0;
  int64_t max = INT64_MAX;
  // With kChoice.
  std::span<const Choice> choices = {};
};

// Translates `typed` by `table` into `out`, under the key, or the name where a row has no key.
// kInvalidArgument names an option of `device` that is not in the table, or a value that does not
// fit it.
Status TranslateOptions(std::string_view device, std::span<const OptionRow> table,
                        const KeyValues& typed, KeyValues& out);

// The value of `key`, or null. The last one counts.
const std::string* FindValue(const KeyValues& values, std::string_view key) noexcept;

}  // namespace millrace
