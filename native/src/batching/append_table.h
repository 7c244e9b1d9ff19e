// A table that only grows, read without locks.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "batching/atomics.h"

namespace millrace {

// Memory orders of AppendTable. Pair:
//   kPublish -> kFind   whoever sees an entry's number sees the entry.
struct AppendTableOrders {
  static constexpr auto kPublish = std::memory_order_release;
  static constexpr auto kFind = std::memory_order_acquire;
};

// At most `kCapacity` objects, numbered from 0, that stay where they are until the table goes. `Pointer`
// is what it holds them by, such as a std::unique_ptr.
template <class Pointer, size_t kCapacity, class Atomics = StdAtomics, class Orders = AppendTableOrders>
class AppendTable {
 public:
  // The number of the new entry; kCapacity if the table is full. One thread at a time.
  size_t Append(Pointer entry) {
    const size_t number = size_.load(std::memory_order_relaxed);
    if (number == kCapacity) return kCapacity;
    entries_[number] = std::move(entry);
    size_.store(number + 1, Orders::kPublish);
    return number;
  }

  // The entry of that number, or null. Wait-free; any thread.
  auto* Find(size_t number) const noexcept {
    return number < size_.load(Orders::kFind) ? std::to_address(entries_[number]) : nullptr;
  }

 private:
  typename Atomics::template Atomic<size_t> size_{0};
  std::array<Pointer, kCapacity> entries_{};
};

}  // namespace millrace
