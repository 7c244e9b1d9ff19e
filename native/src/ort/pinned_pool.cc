#include "ort/pinned_pool.h"

#include <bit>
#include <utility>

namespace millrace {
namespace {

constexpr size_t kSmallest = 4096;

// Blocks of class c have 2^c bytes.
size_t ClassOf(size_t bytes) noexcept {
  return static_cast<size_t>(std::bit_width((bytes < kSmallest ? kSmallest : bytes) - 1));
}

}  // namespace

PinnedPool::PinnedPool(const CudaRuntime& runtime, int device, ExitGate& gate, size_t most)
    : runtime_(runtime), device_(device), gate_(gate), most_(most) {}

PinnedPool::~PinnedPool() {
  // At exit it may be too late to call the driver, which frees the remaining blocks itself.
  const GatePass pass(gate_);
  if (!pass) return;
  for (const auto& [memory, bytes] : blocks_) {
    static_cast<void>(runtime_.FreeHost(const_cast<std::byte*>(memory)));
  }
}

std::shared_ptr<std::byte> PinnedPool::Share(std::shared_ptr<PinnedPool> pool,
                                             size_t bytes) noexcept {
  const size_t index = ClassOf(bytes);
  if (index >= kClasses) return nullptr;
  std::byte* memory = nullptr;
  {
    const std::lock_guard lock(pool->mutex_);
    memory = pool->TakeLocked(index);
    if (memory == nullptr) pool->wanted_[index] = true;
  }
  if (memory == nullptr) return nullptr;
  try {
    // If there is no memory for the reference count, the constructor of std::shared_ptr calls the deleter.
    return {memory, [pool = std::move(pool), bytes](std::byte* block) { pool->Free(block, bytes); }};
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::byte* PinnedPool::TakeLocked(size_t index) noexcept {
  if (free_[index].empty()) return nullptr;
  std::byte* const memory = free_[index].back();
  free_[index].pop_back();
  return memory;
}

// Adds a block to those of the pool. Returns false if there is no memory for its entry.
bool PinnedPool::Register(std::byte* memory, size_t index) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    // Space is reserved here, so that Free cannot fail.
    free_[index].reserve(blocks_.size() + 1);
    blocks_.emplace(memory, size_t{1} << index);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

std::byte* PinnedPool::Allocate(size_t bytes) noexcept {
  const size_t index = ClassOf(bytes);
  if (index >= kClasses) return nullptr;
  const size_t size = size_t{1} << index;
  {
    const std::lock_guard lock(mutex_);
    if (std::byte* const memory = TakeLocked(index)) return memory;
    if (size > most_ - held_) return nullptr;
    held_ += size;
  }
  // The lock is not held here, because CUDA may take milliseconds.
  void* raw = nullptr;
  if (UseDevice(runtime_, device_) == 0 && runtime_.HostAlloc(&raw, size, 0) == 0) {
    auto* const memory = static_cast<std::byte*>(raw);
    if (Register(memory, index)) return memory;
    static_cast<void>(runtime_.FreeHost(raw));
  }
  const std::lock_guard lock(mutex_);
  held_ -= size;
  return nullptr;
}

void PinnedPool::Refill() noexcept {
  size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    while (index < kClasses && !wanted_[index]) ++index;
    if (index == kClasses) return;
    wanted_[index] = false;
  }
  Free(Allocate(size_t{1} << index), size_t{1} << index);
}

void PinnedPool::Free(std::byte* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  const std::lock_guard lock(mutex_);
  free_[ClassOf(bytes)].push_back(memory);
}

bool PinnedPool::Contains(const std::byte* memory, size_t bytes) const noexcept {
  const std::lock_guard lock(mutex_);
  auto block = blocks_.upper_bound(memory);
  if (block == blocks_.begin()) return false;
  --block;
  return memory + bytes <= block->first + block->second;
}

PinnedBlock::PinnedBlock(std::shared_ptr<PinnedPool> pool, size_t bytes)
    : pool_(std::move(pool)), data_(pool_->Allocate(bytes)), bytes_(bytes) {}

PinnedBlock::PinnedBlock(PinnedBlock&& other) noexcept
    : pool_(std::move(other.pool_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(other.bytes_) {}

PinnedBlock& PinnedBlock::operator=(PinnedBlock&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PinnedBlock::~PinnedBlock() {
  if (data_ != nullptr) pool_->Free(data_, bytes_);
}

}  // namespace millrace
