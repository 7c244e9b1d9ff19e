// The memory in which keys and values lie from step to step: the CPU's or a GPU's.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "ort/device_context.h"

namespace millrace {

// Runs of bytes at equal distances: `depth` slices of `height` runs of `width` bytes. A slice is `rows` runs high, of
// which `height` belong to the box.
struct Box {
  std::byte* data = nullptr;
  size_t pitch = 0;  // from run to run, bytes
  size_t rows = 0;   // from slice to slice, runs
};

struct BoxSize {
  size_t width = 0;
  size_t height = 0;
  size_t depth = 0;

  size_t bytes() const noexcept { return width * height * depth; }
};

// One device's memory. Copies happen in the order in which they are queued, after the runs before them and before the
// runs after them.
class DecoderMemory {
 public:
  virtual ~DecoderMemory() = default;

  // The memory of the tensors to which runs are bound.
  virtual const OrtMemoryInfo* info() const noexcept = 0;
  // Whether it is the CPU's memory.
  virtual bool on_cpu() const noexcept = 0;

  virtual Status Allocate(size_t bytes, std::byte*& memory) = 0;
  virtual void Free(std::byte* memory) noexcept = 0;

  // The boxes do not overlap.
  virtual Status Copy(const Box& target, const Box& source, const BoxSize& size) = 0;
  virtual Status Clear(const Box& target, const BoxSize& size) = 0;
  // Waits for everything that was queued, and returns the runs of a box of depth 1, one after another, in the CPU's
  // memory. They are valid until the next call, and as long as the box is not written to.
  virtual Status Read(const Box& source, const BoxSize& size, const std::byte*& data) = 0;
  // Waits for everything that was queued.
  virtual Status Finish() { return {}; }

  // Makes the device that of the calling thread.
  virtual Status Use() { return {}; }
  // Returns `status`, or that the device is lost if that is why a run failed.
  virtual Status Note(Status status) { return status; }
  virtual bool healthy() const noexcept { return true; }
};

Status MakeCpuMemory(const OrtApi& api, std::unique_ptr<DecoderMemory>& memory);
// `context` is open and has a stream of its own for runs.
Status MakeCudaMemory(std::unique_ptr<DeviceContext> context, std::unique_ptr<DecoderMemory>& memory);

// Keeps pieces of memory that are given back for the next steps, because each step needs a little more than the last
// one, and new memory costs page faults on a CPU and a wait for all kernels on a GPU.
//
// Pieces are at most a quarter larger than what they are taken for. The pool keeps as much free memory as is in use, or
// kKept if that is more, and frees first what has been free for longest. When it allocates, it keeps at most a quarter
// of these, so that it never holds much more than was in use at a time. Thread-safe.
class DecoderPool {
 public:
  static constexpr size_t kKept = size_t{64} << 20;

  DecoderPool(std::unique_ptr<DecoderMemory> memory, ExitGate& gate);
  ~DecoderPool();
  DecoderPool(const DecoderPool&) = delete;
  DecoderPool& operator=(const DecoderPool&) = delete;

  DecoderMemory& memory() noexcept { return *memory_; }
  // The bytes of the pieces that are in use, and of those that are free.
  size_t used() const;
  size_t kept() const;

 private:
  friend class DecoderPiece;
  struct Piece {
    std::byte* data = nullptr;
    size_t bytes = 0;
  };

  Status Take(size_t bytes, Piece& piece);
  void GiveBack(Piece piece) noexcept;
  bool TakeFree(size_t bytes, Piece& piece) noexcept;
  Status Allocate(Piece& piece);
  void KeepAtMost(size_t bytes) noexcept;
  void Release(std::byte* data) noexcept;

  const std::unique_ptr<DecoderMemory> memory_;
  ExitGate& gate_;
  mutable std::mutex mutex_;
  size_t used_ = 0;          // guarded by mutex_
  size_t kept_ = 0;          // guarded by mutex_
  size_t taken_ = 0;         // guarded by mutex_; the number of pieces in use
  std::vector<Piece> free_;  // guarded by mutex_; what was given back last is at the end
};

// Owns a piece of a pool, and shares the pool, which therefore lives as long.
class DecoderPiece {
 public:
  DecoderPiece() = default;
  DecoderPiece(DecoderPiece&& other) noexcept;
  DecoderPiece& operator=(DecoderPiece&& other) noexcept;
  ~DecoderPiece();

  // Takes a piece of at least `bytes`. Returns kResourceExhausted if memory runs out.
  static Status Take(std::shared_ptr<DecoderPool> pool, size_t bytes, DecoderPiece& piece);

  std::byte* data() const noexcept { return piece_.data; }

 private:
  std::shared_ptr<DecoderPool> pool_;
  DecoderPool::Piece piece_;
};

}  // namespace millrace
