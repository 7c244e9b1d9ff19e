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

// Hands out blocks of powers of two and gives nothing back before it is destroyed, so it holds the most that
// was ever in use, up to a limit. Outlives the session while somebody has outputs in it. Thread-safe, and no
// thread waits for CUDA but the one that calls Allocate or Refill.
class PinnedPool {
 public:
  // Most bytes that a pool takes from CUDA.
  static constexpr size_t kMostBytes = size_t{1} << 30;

  PinnedPool(const CudaRuntime& runtime, int device, ExitGate& gate, size_t most = kMostBytes);
  ~PinnedPool();
  PinnedPool(const PinnedPool&) = delete;
  PinnedPool& operator=(const PinnedPool&) = delete;

  // A block that is free, which goes back to `pool` with its last reference. Null if there is none; the next
  // Refill makes one then. For threads that must not wait for CUDA.
  static std::shared_ptr<std::byte> Share(std::shared_ptr<PinnedPool> pool, size_t bytes) noexcept;
  // Makes one block of a size that Share did not have.
  void Refill() noexcept;

  // At least `bytes`; null if there is no more.
  std::byte* Allocate(size_t bytes) noexcept;
  // `bytes` as in Allocate.
  void Free(std::byte* memory, size_t bytes) noexcept;

  // Whether all of it lies in one block of the pool.
  bool Contains(const std::byte* memory, size_t bytes) const noexcept;

 private:
  static constexpr size_t kClasses = 48;

  // A free block of the class, or null.
  std::byte* TakeLocked(size_t index) noexcept;
  bool Register(std::byte* memory, size_t index) noexcept;

  const CudaRuntime& runtime_;
  const int device_;
  ExitGate& gate_;
  const size_t most_;
  mutable std::mutex mutex_;
  size_t held_ = 0;                     // guarded by mutex_
  std::array<bool, kClasses> wanted_{};  // guarded by mutex_
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
