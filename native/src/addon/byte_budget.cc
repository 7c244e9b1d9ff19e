#include "addon/byte_budget.h"

namespace millrace {

ByteBudget& ProcessBytes() noexcept {
  static ByteBudget budget;
  return budget;
}

}  // namespace millrace
