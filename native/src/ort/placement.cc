#include "ort/placement.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

namespace millrace {
namespace {

constexpr std::string_view kKernelTime = "_kernel_time";

// Returns the string after `"key"` and a colon. Escapes are resolved, except \u, which ONNX Runtime does not write.
std::string Field(std::string_view event, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + '"';
  size_t at = event.find(quoted);
  if (at == std::string_view::npos) return {};
  at = event.find_first_not_of(" \t:", at + quoted.size());
  if (at == std::string_view::npos || event[at] != '"') return {};
  std::string value;
  for (++at; at < event.size() && event[at] != '"'; ++at) {
    if (event[at] == '\\' && at + 1 < event.size()) ++at;
    value += event[at];
  }
  return value;
}

// Splits a JSON array of objects, as the profiler writes it, into the texts of its objects.
std::vector<std::string_view> Events(std::string_view json) {
  std::vector<std::string_view> events;
  size_t depth = 0;
  size_t start = 0;
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (quoted) {
      if (json[i] == '\\') ++i;
      else if (json[i] == '"') quoted = false;
    } else if (json[i] == '"') {
      quoted = true;
    } else if (json[i] == '{') {
      if (depth++ == 0) start = i;
    } else if (json[i] == '}' && depth > 0 && --depth == 0) {
      events.push_back(json.substr(start, i + 1 - start));
    }
  }
  return events;
}

}  // namespace

void ProfileFolder::Make() {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::temp_directory_path(error);
  if (error) return;
  std::string made = (root / "millrace-profile-XXXXXX").string();
  if (mkdtemp(made.data()) != nullptr) path_ = std::move(made);
}

void ProfileFolder::Remove() noexcept {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  path_.clear();
}

std::vector<NodePlacement> ParseProfile(const std::string& json) {
  std::vector<NodePlacement> nodes;
  std::set<std::string> seen;
  for (const std::string_view event : Events(json)) {
    NodePlacement node{Field(event, "name"), Field(event, "op_name"), Field(event, "provider")};
    if (node.provider.empty() || !node.name.ends_with(kKernelTime)) continue;
    node.name.resize(node.name.size() - kKernelTime.size());
    if (seen.insert(node.name).second) nodes.push_back(std::move(node));
  }
  return nodes;
}

Status ReadProfile(const std::string& path, std::vector<NodePlacement>& nodes) {
  std::ifstream file(path, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (json.empty()) return {Code::kInternal, "ONNX Runtime wrote no profile"};
  nodes = ParseProfile(json);
  return {};
}

std::vector<std::string> CpuNodes(const std::vector<NodePlacement>& nodes) {
  std::vector<std::string> names;
  for (const NodePlacement& node : nodes) {
    if (node.provider == "CPUExecutionProvider") names.push_back(node.name + " (" + node.op + ')');
  }
  return names;
}

}  // namespace millrace
