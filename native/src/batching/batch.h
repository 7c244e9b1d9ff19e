// Runs a set of requests as one batch: gathers their inputs, and gives each its rows of the outputs.
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

// The memory into which a worker gathers inputs. It grows to the largest batch and is kept for the next. A large buffer
// of which 64 runs in a row have used less than half shrinks to what they used, so that a single huge request does not
// keep its memory for ever. Not thread-safe.
class Staging {
 public:
  // Returns at least `bytes` bytes, aligned for vector loads. Throws std::bad_alloc.
  std::byte* Reserve(size_t input, size_t bytes);
  // Returns the strings of an input, which may have been used before. More than kKept bytes of them are freed first.
  std::vector<std::string>& Strings(size_t input);
  // Returns the bytes that are kept for an input.
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
  // The number of runs in a row after which a buffer of more than kKept bytes shrinks.
  static constexpr uint32_t kSmallRuns = 64;
  static constexpr size_t kKept = 1 << 20;

  Buffer& At(size_t input);
  static bool IsTooLarge(Buffer& buffer, size_t bytes) noexcept;
  static void Allocate(Buffer& buffer, size_t bytes);
  std::vector<Buffer> buffers_;
};

// Observes the runs of a batch, of which there are several if it is divided. Called by the thread that runs the batch.
class RunObserver {
 public:
  // `requests` are about to run.
  virtual void Begin(std::span<Request* const> requests, Nanos now) noexcept = 0;
  // That run has ended, whatever its outcome.
  virtual void End() noexcept = 0;

 protected:
  ~RunObserver() = default;
};

// What a run needs besides its requests. All of it belongs to the calling worker.
struct RunContext {
  Executor& executor;
  RunHandle& handle;
  Staging& staging;
  const Clock& clock;
  // Whether dimension 0 of inputs and outputs counts rows. Otherwise a batch is one request.
  bool batched;
  // The shapes that requests are padded to; null means no padding.
  const ShapePlan* shapes = nullptr;
  // Converts inputs to the form that the model takes. May be null.
  const InputMaps* maps = nullptr;
  // May be null.
  RunObserver* observer = nullptr;
};

// Runs `requests` as one batch and sets the outcome of each; their order may change. It does not pass them to their
// sinks.
//
// DIVISION A batch that fails is divided into halves until only the requests that fail alone have the error. A bad
// request causes log2(n) extra runs for each other request and 2 log2(n) in all, but no other request fails. Batches that
// took too long (kDeadlineExceeded) or whose device is lost (kUnavailable) are not divided. A batch of a number of rows
// that `shapes` does not allow requests to share is divided into batches of numbers that it allows.
//
// OUTCOME If the outputs of a request that ran alone have another number of rows than its inputs, `other_rows` is set, and
// it runs once more like a request to a model without rows. A request whose borrowed input was revoked has kCancelled. If
// memory runs out the status is kResourceExhausted, and after any other exception kInternal.
void RunBatch(std::span<Request*> requests, const RunContext& context) noexcept;

}  // namespace millrace
