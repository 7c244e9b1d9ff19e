#include <algorithm>
#include <bit>
#include <utility>

#include "ort/decoder_memory.h"

namespace millrace {
namespace {

constexpr size_t kSmallestPiece = 4096;

// Rounds up to a quarter of a power of two, so that a cache that grows by a token a step rarely needs a larger piece.
size_t PieceSize(size_t bytes) noexcept {
  if (bytes <= kSmallestPiece) return kSmallestPiece;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

}  // namespace

DecoderPool::DecoderPool(std::unique_ptr<DecoderMemory> memory, ExitGate& gate)
    : memory_(std::move(memory)), gate_(gate) {}

DecoderPool::~DecoderPool() {
  for (const Piece& piece : free_) Release(piece.data);
}

// At exit it may be too late to call a driver, so the memory is left to the operating system.
void DecoderPool::Release(std::byte* data) noexcept {
  const GatePass pass(gate_);
  if (pass) memory_->Free(data);
}

size_t DecoderPool::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

size_t DecoderPool::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

Status DecoderPool::Take(size_t bytes, Piece& piece) {
  const size_t size = PieceSize(bytes);
  const std::lock_guard lock(mutex_);
  // Space is reserved here, so that GiveBack cannot fail.
  free_.reserve(free_.size() + taken_ + 1);
  Piece taken{nullptr, size};
  if (!TakeFree(size, taken)) MILLRACE_RETURN_IF_ERROR(Allocate(taken));
  ++taken_;
  used_ += taken.bytes;
  piece = taken;
  return {};
}

// Takes the smallest free piece of at least `bytes`, but none of twice the size, which a longer cache may need.
bool DecoderPool::TakeFree(size_t bytes, Piece& piece) noexcept {
  auto best = free_.end();
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    if (it->bytes < bytes || it->bytes >= 2 * bytes) continue;
    if (best == free_.end() || it->bytes < best->bytes) best = it;
  }
  if (best == free_.end()) return false;
  piece = *best;
  kept_ -= best->bytes;
  free_.erase(best);
  return true;
}

// A cache that has outgrown its pieces leaves them behind, so most of them are freed before there is a larger one.
Status DecoderPool::Allocate(Piece& piece) {
  KeepAtMost(std::max(used_ + piece.bytes, kKept) / 4);
  const Status status = memory_->Allocate(piece.bytes, piece.data);
  if (status.ok() || free_.empty()) return status;
  KeepAtMost(0);
  return memory_->Allocate(piece.bytes, piece.data);
}

// Frees what has been free for longest, until no more is free than this.
void DecoderPool::KeepAtMost(size_t bytes) noexcept {
  size_t count = 0;
  for (; kept_ > bytes; ++count) {
    Release(free_[count].data);
    kept_ -= free_[count].bytes;
  }
  free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(count));
}

void DecoderPool::GiveBack(Piece piece) noexcept {
  const std::lock_guard lock(mutex_);
  --taken_;
  used_ -= piece.bytes;
  kept_ += piece.bytes;
  free_.push_back(piece);
  KeepAtMost(std::max(used_, kKept));
}

DecoderPiece::DecoderPiece(DecoderPiece&& other) noexcept
    : pool_(std::move(other.pool_)), piece_(std::exchange(other.piece_, {})) {}

DecoderPiece& DecoderPiece::operator=(DecoderPiece&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(piece_, other.piece_);
  return *this;
}

DecoderPiece::~DecoderPiece() {
  if (pool_ != nullptr) pool_->GiveBack(piece_);
}

Status DecoderPiece::Take(std::shared_ptr<DecoderPool> pool, size_t bytes, DecoderPiece& piece) {
  DecoderPiece taken;
  MILLRACE_RETURN_IF_ERROR(pool->Take(bytes, taken.piece_));
  taken.pool_ = std::move(pool);
  piece = std::move(taken);
  return {};
}

}  // namespace millrace
