#include "addon/cores.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <thread>

namespace millrace {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Returns the cgroup of the process. Inside a container it is `/`, the root of the cgroups that are visible there.
std::string OwnGroup() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return "/";
}

}  // namespace

std::optional<uint32_t> ParseCpuMax(std::string_view text) noexcept {
  double quota = 0;
  double period = 0;
  const char* const end = text.data() + text.size();
  const auto [space, wrong] = std::from_chars(text.data(), end, quota);
  if (wrong != std::errc() || space == end || *space != ' ') return std::nullopt;
  if (std::from_chars(space + 1, end, period).ec != std::errc()) return std::nullopt;
  const double cores = quota / period;
  if (!(quota > 0 && period > 0 && cores < 1e6)) return std::nullopt;
  const auto whole = static_cast<uint32_t>(cores);
  return std::max(whole + (whole < cores ? 1u : 0u), 1u);
}

uint32_t UsableCores() {
  uint32_t cores = std::max(std::thread::hardware_concurrency(), 1u);
  const std::string root = "/sys/fs/cgroup";
  const std::string legacy = root + "/cpu/cpu.cfs_";
  for (const std::string& limit :
       {FirstLine(root + "/cpu.max"), FirstLine(root + OwnGroup() + "/cpu.max"),
        FirstLine(legacy + "quota_us") + ' ' + FirstLine(legacy + "period_us")}) {
    cores = std::min(cores, ParseCpuMax(limit).value_or(cores));
  }
  return cores;
}

CoreBudget BudgetOf(uint32_t cores, uint32_t js_threads) noexcept {
  return {cores > js_threads ? cores - js_threads : 1, cores};
}

}  // namespace millrace
