// The cores that the process may use, and how many of them workers get.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "batching/core_budget.h"

namespace millrace {

// Returns the number of cores that a cgroup's `cpu.max` ("200000 100000", "max 100000") grants: its quota divided by
// its period, rounded up, and at least one. Returns nothing if it sets no limit or has another form.
std::optional<uint32_t> ParseCpuMax(std::string_view text) noexcept;

// Returns the number of cores on which the scheduler may run this process: at least 1, at most the container's limit.
uint32_t UsableCores();

// Returns what workers may use of `cores` cores beside `js_threads` JavaScript threads.
CoreBudget BudgetOf(uint32_t cores, uint32_t js_threads) noexcept;

}  // namespace millrace
