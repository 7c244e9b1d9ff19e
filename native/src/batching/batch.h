// A set of requests that share one run: gathers their inputs, hands each its rows of the outputs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "batching/input_map.h"
#include "batching/request.h"
#include "batching/shape_plan.h"

namespace millrace {

// Memory that a worker gathers inputs into. It grows to the largest batch and is kept for the next. Large
// buffers of which 64 runs in a row have needed less than half shrink to what those runs needed, so that one
// huge request does not cost its memory for ever.
class Staging {
 public:
  // At least `bytes` bytes, aligned for vector loads. Throws std::bad_alloc.
  std::byte* Reserve(size_t input, size_t bytes);
  std::vector<std::string>& Strings(size_t input);
  // Bytes that are held for an input.
  size_t Capacity(size_t input) noexcept { return At(input).capacity; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };
  struct Buffer {
    std::unique_ptr<std::byte, Free> memory;
    size_t capacity = 0;
    size_t most_needed = 0;  // by the runs counted in `small_runs`
    uint32_t small_runs = 0;
    std::vector<std::string> strings;
  };
  // Runs in a row that must have needed less than half of a buffer of at least so many bytes.
  static constexpr uint32_t kSmallRuns = 64;
  static constexpr size_t kKept = 1 << 20;

  Buffer& At(size_t input);
  static bool IsTooLarge(Buffer& buffer, size_t bytes) noexcept;
  static void Allocate(Buffer& buffer, size_t bytes);
  std::vector<Buffer> buffers_;
};

// What a run needs besides its requests; all of it the calling worker's.
struct RunContext {
  Executor& executor;
  RunHandle& handle;
  Staging& staging;
  const Clock& clock;
  // Dimension 0 counts rows, in the inputs and in the outputs. Otherwise a batch is one request.
  bool batched;
  // What requests are padded to; null: nothing.
  const ShapePlan* shapes = nullptr;
  // How requests' inputs become the model's. May be null.
  const InputMaps* maps = nullptr;
  // Runs on inputs in the CPU's memory even where the executor has its own.
  bool direct = false;
};

// Runs `requests` as one batch, or, where that fails, in halves until only the requests that fail on
// their own are left with the error: one bad request costs its neighbours log2(n) extra runs each, 2
// log2(n) in all, never their answer. Not split are batches that took too long (kDeadlineExceeded) and
// those of a device that is gone (kUnavailable). A batch of a number of rows that `shapes` allows no run to be
// shared of is divided into batches of numbers that it allows.
// A request that ran alone and came back with another number of rows has `other_rows` set: it runs once more
// as a model without rows does, and that is its outcome. Leaves every request with an outcome and hands none of them over; the order of the
// span may change. A request whose borrowed input was revoked is kCancelled, running out of memory
// is kResourceExhausted, any other exception kInternal.
void RunBatch(std::span<Request*> requests, const RunContext& context) noexcept;

}  // namespace millrace
