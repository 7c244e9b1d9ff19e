#include "addon/ticket.h"

#include <cstdint>
#include <mutex>
#include <unordered_set>

namespace millrace {
namespace {

struct Tickets {
  std::mutex mutex;
  uintptr_t last = 0;  // never used again, unlike addresses
  std::unordered_set<uintptr_t> valid;
};

Tickets& All() {
  static auto* const tickets = new Tickets;  // never freed: threads may end after static objects
  return *tickets;
}

}  // namespace

void* NewTicket() {
  Tickets& all = All();
  const std::lock_guard lock(all.mutex);
  all.valid.insert(++all.last);
  return reinterpret_cast<void*>(all.last);
}

bool Redeem(void* ticket) {
  Tickets& all = All();
  const std::lock_guard lock(all.mutex);
  return all.valid.erase(reinterpret_cast<uintptr_t>(ticket)) == 1;
}

}  // namespace millrace
