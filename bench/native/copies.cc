// A library to preload: counts the bytes that memcpy and memmove copy in pieces of a given size, in any
// thread and any library of the process. What JavaScript engines copy for themselves has other sizes.
#include <dlfcn.h>

#include <atomic>
#include <cstddef>

namespace {

using Copy = void* (*)(void*, const void*, size_t);

// Constant initialised, since copies happen before constructors run. Counters: relaxed.
std::atomic<size_t> unit{0};
std::atomic<size_t> copied{0};
std::atomic<Copy> next{nullptr};

// Until the real one is found, whose search itself may copy.
void* CopyBytes(void* target, const void* source, size_t bytes) {
  auto* const to = static_cast<volatile char*>(target);
  const auto* const from = static_cast<const volatile char*>(source);
  if (to < from) {
    for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
  } else {
    for (size_t i = bytes; i > 0; --i) to[i - 1] = from[i - 1];
  }
  return target;
}

void* CountedCopy(void* target, const void* source, size_t bytes) {
  const size_t wanted = unit.load(std::memory_order_relaxed);
  if (wanted != 0 && bytes == wanted) copied.fetch_add(bytes, std::memory_order_relaxed);
  Copy copy = next.load(std::memory_order_relaxed);
  if (copy == nullptr) {
    next.store(&CopyBytes, std::memory_order_relaxed);
    // memmove serves for both: what overlaps where it must not is not for us to find.
    copy = reinterpret_cast<Copy>(dlsym(RTLD_NEXT, "memmove"));
    next.store(copy, std::memory_order_relaxed);
  }
  return copy(target, source, bytes);
}

}  // namespace

#define EXPORTED __attribute__((visibility("default")))

extern "C" {

EXPORTED void* memcpy(void* target, const void* source, size_t bytes) {
  return CountedCopy(target, source, bytes);
}

EXPORTED void* memmove(void* target, const void* source, size_t bytes) {
  return CountedCopy(target, source, bytes);
}

// Counts from zero, in pieces of `bytes`.
EXPORTED void millrace_bench_count_copies(size_t bytes) {
  unit.store(bytes, std::memory_order_relaxed);
  copied.store(0, std::memory_order_relaxed);
}

EXPORTED size_t millrace_bench_copied() { return copied.load(std::memory_order_relaxed); }

}  // extern "C"
