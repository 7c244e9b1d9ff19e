// The atomics of the lock-free algorithms. Each algorithm is a template over its atomics and its memory orders, so
// that the same source runs on std::atomic in the product, on the simulated atomics of a model checker, and with a
// weaker order in the mutation test.
#pragma once

#include <atomic>
#include <cstddef>

namespace millrace {

struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
};

// The constant of the standard library changes with -mtune, and the layout would change with it.
inline constexpr size_t kCacheLine = 64;

}  // namespace millrace
