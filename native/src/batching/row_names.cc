#include "batching/row_names.h"

#include <algorithm>

namespace millrace {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Returns whether `text` is the prefix and a number after it.
bool IsNumbered(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) && IsDigits(text.substr(prefix.size()));
}

std::string NameOfRows(const TensorSpec& spec) {
  return spec.symbols.empty() ? std::string() : spec.symbols[0];
}

}  // namespace

bool IsMadeUpName(const std::string& symbol) {
  const std::string_view text = symbol;
  if (text.empty() || text == "?" || text == "None" || text == "-1") return true;
  for (const char* prefix : {"unk__", "unk_", "s", "DynamicDimension.", "dynamic_axes_"}) {
    if (IsNumbered(text, prefix)) return true;
  }
  const size_t dim = text.rfind("_dim_");
  return dim != std::string_view::npos && dim > 0 && IsDigits(text.substr(dim + 5));
}

std::string OtherNameOfRows(const Signature& signature, bool data_sized) {
  std::string rows;
  std::string input;
  for (const TensorSpec& spec : signature.inputs) {
    const std::string name = NameOfRows(spec);
    if (name.empty() || (!rows.empty() && IsMadeUpName(name))) continue;
    if (!rows.empty() && !IsMadeUpName(rows) && rows != name) {
      return "Dimension 0 is '" + name + "' in input '" + spec.name + "', but '" + rows +
             "' in input '" + input + "', so that they are not known to count the same rows";
    }
    rows = name;
    input = spec.name;
  }
  for (const TensorSpec& spec : signature.outputs) {
    const std::string name = NameOfRows(spec);
    if (!name.empty() && name == rows) continue;
    const bool told = !IsMadeUpName(name) && !IsMadeUpName(rows);
    if (told) {
      return "Dimension 0 of output '" + spec.name + "' is '" + name + "', but that of the inputs is '" +
             rows + "', so that it is not known to count rows";
    }
    if (data_sized) {
      return "The size of output '" + spec.name +
             "' may depend on the data, and dimension 0 is not said to be that of the inputs";
    }
  }
  return {};
}

}  // namespace millrace
