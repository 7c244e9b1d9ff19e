// Memory that a GPU copies from and to on its own, kept for reuse: to get it from CUDA takes as long
// as a small run.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "ort/api.h"
#include "ort/cuda_runtime.h"

namespace millrace {

// Hands out blocks of powers of two and gives nothing back before it is destroyed, so it holds the
// most that was ever in use. Outlives the session while somebody has outputs in it. Thread-safe.
class PinnedPool {
 public:
  PinnedPool(const CudaRuntime& runtime, int device, ExitGate& gate);
  ~PinnedPool();
  PinnedPool(const PinnedPool&) = delete;
  PinnedPool& operator=(const PinnedPool&) = delete;

  // A block that goes back to `pool` with its last reference; null if there is no more.
  static std::shared_ptr<std::byte> Share(std::shared_ptr<PinnedPool> pool, size_t bytes) noexcept;

  // At least `bytes`; null if there is no more.
  std::byte* Allocate(size_t bytes) noexcept;
  // `bytes` as in Allocate.
  void Free(std::byte* memory, size_t bytes) noexcept;

  // Whether all of it lies in one block of the pool.
  bool Contains(const std::byte* memory, size_t bytes) const noexcept;

 private:
  static constexpr size_t kClasses = 48;

  const CudaRuntime& runtime_;
  const int device_;
  ExitGate& gate_;
  mutable std::mutex mutex_;
  std::array<std::vector<std::byte*>, kClasses> free_;  // guarded by mutex_
  std::map<const std::byte*, size_t> blocks_;           // guarded by mutex_
};

// A block of a pool, kept alive with it.
class PinnedBlock {
 public:
  PinnedBlock() = default;
  PinnedBlock(std::shared_ptr<PinnedPool> pool, size_t bytes);
  PinnedBlock(PinnedBlock&& other) noexcept;
  PinnedBlock& operator=(PinnedBlock&& other) noexcept;
  ~PinnedBlock();

  // Null if the pool had none.
  std::byte* data() const noexcept { return data_; }

 private:
  std::shared_ptr<PinnedPool> pool_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace millrace
