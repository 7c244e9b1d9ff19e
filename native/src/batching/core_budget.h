// The cores that workers may use.
#pragma once

#include <cstdint>

namespace millrace {

struct CoreBudget {
  // Those that JavaScript threads leave, at least one.
  uint32_t spare = 1;
  // All of them. If rows take long, JavaScript has little to do for each and needs no core to itself.
  uint32_t all = 1;
};

}  // namespace millrace
