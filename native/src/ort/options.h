// The typed options of a provider: their names and values in the API, and those that ONNX Runtime uses.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batching/status.h"

namespace millrace {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

// One option. Its value is a string: `true`, `4096`, or one of `choices`.
struct OptionRow {
  enum class Kind : uint8_t { kFlag, kNumber, kChoice, kText };
  struct Choice {
    std::string_view name;
    std::string_view value;
  };

  std::string_view name;
  // ONNX Runtime's key. It is empty if millrace itself implements the option, whose value then does not change, except
  // that flags become `1` and `0`.
  std::string_view key;
  Kind kind;
  // The range of a kNumber.
  int64_t min = 0;
  int64_t max = INT64_MAX;
  // The values of a kChoice.
  std::span<const Choice> choices = {};
};

// Translates `typed` by `table` into `out`, under the key or, if a row has no key, the name. Returns kInvalidArgument
// if `device` has no such option or does not take its value.
Status TranslateOptions(std::string_view device, std::span<const OptionRow> table,
                        const KeyValues& typed, KeyValues& out);

// Returns the value of `key`, or null. If there are several, it is the last.
const std::string* FindValue(const KeyValues& values, std::string_view key) noexcept;

}  // namespace millrace
