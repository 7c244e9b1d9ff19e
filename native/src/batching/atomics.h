// The atomic policy of the lock-free algorithms. Each of them is a template over this policy and
// over its memory orders, so that the same source runs on std::atomic in the product, on a model
// checker's simulated atomics, and with one order weakened in the mutation test.
#pragma once

#include <atomic>
#include <cstddef>

namespace millrace {

struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
};

// Our own constant: the standard one changes with -mtune, and with it the layout.
inline constexpr size_t kCacheLine = 64;

}  // namespace millrace
