#include "ort/options.h"

#include <algorithm>
#include <charconv>

namespace millrace {
namespace {

std::string Expected(const OptionRow& row) {
  switch (row.kind) {
    case OptionRow::Kind::kFlag:
      return "true or false";
    case OptionRow::Kind::kNumber:
      return row.max == INT64_MAX
                 ? "a whole number of at least " + std::to_string(row.min)
                 : "a whole number from " + std::to_string(row.min) + " to " + std::to_string(row.max);
    case OptionRow::Kind::kText:
      return "a text";
    case OptionRow::Kind::kChoice:
      break;
  }
  std::string all;
  for (const OptionRow::Choice& choice : row.choices) {
    all += (all.empty() ? "" : " or ") + std::string(choice.name);
  }
  return all;
}

// Returns whether `text` is a valid value of the option, and sets `value` to what ONNX Runtime expects for it.
bool Translate(const OptionRow& row, const std::string& text, std::string& value) {
  switch (row.kind) {
    case OptionRow::Kind::kFlag:
      value = text == "true" ? "1" : "0";
      return text == "true" || text == "false";
    case OptionRow::Kind::kNumber: {
      int64_t number = 0;
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, number);
      value = text;
      return error == std::errc() && stop == end && number >= row.min && number <= row.max;
    }
    case OptionRow::Kind::kText:
      value = text;
      return !text.empty();
    case OptionRow::Kind::kChoice:
      break;
  }
  for (const OptionRow::Choice& choice : row.choices) {
    if (choice.name == text) value = choice.value;
  }
  return !value.empty();
}

}  // namespace

Status TranslateOptions(std::string_view device, std::span<const OptionRow> table,
                        const KeyValues& typed, KeyValues& out) {
  for (const auto& [name, text] : typed) {
    const auto row = std::ranges::find(table, name, &OptionRow::name);
    if (row == table.end()) {
      std::string known;
      for (const OptionRow& each : table) known += (known.empty() ? "" : ", ") + std::string(each.name);
      return {Code::kInvalidArgument,
              "Device '" + std::string(device) + "' has no option '" + name +
                  (known.empty() ? "': it takes none" : "': it takes " + known)};
    }
    std::string value;
    if (!Translate(*row, text, value)) {
      return {Code::kInvalidArgument, "Option '" + name + "' of device '" + std::string(device) +
                                          "' is '" + text + "': expected " + Expected(*row)};
    }
    out.emplace_back(row->key.empty() ? row->name : row->key, std::move(value));
  }
  return {};
}

const std::string* FindValue(const KeyValues& values, std::string_view key) noexcept {
  const std::string* found = nullptr;
  for (const auto& [name, value] : values) {
    if (name == key) found = &value;
  }
  return found;
}

}  // namespace millrace
