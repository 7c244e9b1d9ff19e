// How many cores the process may use, and who gets them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

// Cores that a cgroup's `cpu.max` ("200000 100000", "max 100000") grants: its quota by its period, at
// least one, rounded up. Empty if it sets no limit or is something else.
std::optional<uint32_t> ParseCpuMax(std::string_view text) noexcept;

// Cores the scheduler may put this process on, no more than the container's limit. At least 1.
uint32_t UsableCores();

// Runs that may be in progress at once: the cores that `js_threads` leave, at least one.
uint32_t WorkerCores(uint32_t cores, uint32_t js_threads) noexcept;

}  // namespace millrace
