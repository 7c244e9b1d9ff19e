#include "addon/finalize_once.h"

#include <cstdint>
#include <mutex>
#include <unordered_set>

namespace millrace {
namespace {

struct Unfinalized {
  std::mutex mutex;
  uintptr_t last = 0;  // the last id; ids are never reused, unlike addresses
  std::unordered_set<uintptr_t> valid;
};

Unfinalized& All() {
  static auto* const unfinalized = new Unfinalized;  // never freed: threads may outlive static objects
  return *unfinalized;
}

}  // namespace

void* NewFinalizeOnce() {
  Unfinalized& all = All();
  const std::lock_guard lock(all.mutex);
  all.valid.insert(++all.last);
  return reinterpret_cast<void*>(all.last);
}

bool IsFirstFinalize(void* once) {
  Unfinalized& all = All();
  const std::lock_guard lock(all.mutex);
  return all.valid.erase(reinterpret_cast<uintptr_t>(once)) == 1;
}

}  // namespace millrace
