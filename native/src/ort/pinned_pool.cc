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

PinnedPool::PinnedPool(const CudaRuntime& runtime, int device, ExitGate& gate)
    : runtime_(runtime), device_(device), gate_(gate) {}

PinnedPool::~PinnedPool() {
  // At exit the driver frees what is left, and calling it may be too late.
  const GatePass pass(gate_);
  if (!pass) return;
  for (const auto& [memory, bytes] : blocks_) {
    static_cast<void>(runtime_.FreeHost(const_cast<std::byte*>(memory)));
  }
}

std::shared_ptr<std::byte> PinnedPool::Share(std::shared_ptr<PinnedPool> pool,
                                             size_t bytes) noexcept {
  std::byte* const memory = pool->Allocate(bytes);
  if (memory == nullptr) return nullptr;
  try {
    // Frees the block itself where there is no memory for the counter.
    return {memory, [pool = std::move(pool), bytes](std::byte* block) { pool->Free(block, bytes); }};
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::byte* PinnedPool::Allocate(size_t bytes) noexcept {
  const size_t index = ClassOf(bytes);
  if (index >= kClasses) return nullptr;
  try {
    const std::lock_guard lock(mutex_);
    if (!free_[index].empty()) {
      std::byte* const memory = free_[index].back();
      free_[index].pop_back();
      return memory;
    }
    void* raw = nullptr;
    if (UseDevice(runtime_, device_) != 0) return nullptr;
    if (runtime_.HostAlloc(&raw, size_t{1} << index, 0) != 0) return nullptr;
    auto* const memory = static_cast<std::byte*>(raw);
    blocks_.emplace(memory, size_t{1} << index);
    // Now, so that Free cannot fail.
    free_[index].reserve(blocks_.size());
    return memory;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
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
