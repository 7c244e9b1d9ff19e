// A pool of pinned memory, which the GPU reads and writes without the CPU. CUDA takes as long to allocate such memory
// as a small run takes.
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

// The sizes of the pool's blocks are powers of two. The pool frees no block before it is destroyed, so that it holds
// the most memory that was ever in use, up to a limit. It outlives the session as long as outputs lie in it.
// Thread-safe, and only the threads that call Allocate or Refill wait for CUDA.
class PinnedPool {
 public:
  // The most bytes that a pool allocates.
  static constexpr size_t kMostBytes = size_t{1} << 30;

  PinnedPool(const CudaRuntime& runtime, int device, ExitGate& gate, size_t most = kMostBytes);
  ~PinnedPool();
  PinnedPool(const PinnedPool&) = delete;
  PinnedPool& operator=(const PinnedPool&) = delete;

  // Returns a free block, which goes back to `pool` with its last reference, or null if there is none; the next Refill
  // then makes one. It is for threads that must not wait for CUDA.
  static std::shared_ptr<std::byte> Share(std::shared_ptr<PinnedPool> pool, size_t bytes) noexcept;
  // Makes a block of a size for which Share found none.
  void Refill() noexcept;

  // Returns a block of at least `bytes`, or null if memory runs out.
  std::byte* Allocate(size_t bytes) noexcept;
  // Gives a block back. `bytes` must be the same as for Allocate.
  void Free(std::byte* memory, size_t bytes) noexcept;

  // Returns whether all of the memory lies in one block of the pool.
  bool Contains(const std::byte* memory, size_t bytes) const noexcept;

 private:
  static constexpr size_t kClasses = 48;

  // Returns a free block of the class, or null.
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

// Owns a block of a pool, and shares the pool, which therefore lives as long.
class PinnedBlock {
 public:
  PinnedBlock() = default;
  PinnedBlock(std::shared_ptr<PinnedPool> pool, size_t bytes);
  PinnedBlock(PinnedBlock&& other) noexcept;
  PinnedBlock& operator=(PinnedBlock&& other) noexcept;
  ~PinnedBlock();

  // Returns null if the pool had no block.
  std::byte* data() const noexcept { return data_; }

 private:
  std::shared_ptr<PinnedPool> pool_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace millrace
