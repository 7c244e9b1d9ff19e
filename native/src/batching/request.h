// The request record: one object holds the inputs, the options and the outcome of a request from its submission until
// its result has been delivered.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "batching/backlog.h"
#include "batching/clock.h"
#include "batching/executor.h"
#include "batching/borrow_guard.h"
#include "batching/pooling.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

struct Request;

// Receives finished requests. Its methods are called on the worker's thread, and must not block for long.
class CompletionSink : public std::enable_shared_from_this<CompletionSink> {
 public:
  virtual ~CompletionSink() = default;

  // Takes a chain of requests, which are linked from the newest to the oldest through `next`.
  virtual void Finish(Request* newest, Request* oldest) noexcept = 0;

  // Fails the request of `slot` with `status` while its memory is still in use. Finish follows when the memory is free.
  // `turn` distinguishes the request from later ones in the same slot.
  virtual void FailEarly(uint32_t slot, uint64_t turn, const Status& status) = 0;
};

// An input of a request.
struct Input {
  TensorView view;
  // The memory that `view` points to, unless it is borrowed or pinned. It is kept for the next request.
  std::unique_ptr<std::byte[]> copy;
  size_t capacity = 0;
  // The memory that `view` points to if the device reads it directly. It is released with the record.
  std::shared_ptr<std::byte> pinned;
  std::vector<std::string> strings;
};

// THREADS One thread at a time uses a request: the submitter until Batcher::Submit returns kOk, then the worker that
// takes it, then the sink. Only `cancelled` and `borrow` are shared.
struct Request {
  // The link of the list that holds the request: the inbox, and then the sink's list.
  Request* next = nullptr;

  // The owner of the record, which sets it once.
  CompletionSink* sink = nullptr;
  uint32_t slot = 0;
  // The number of requests that have used this record.
  uint64_t turn = 0;

  // The inputs and options. `rows` is dimension 0 of every input if the model is batched, and otherwise 1.
  std::vector<Input> inputs;
  int64_t rows = 1;
  uint8_t priority = 0;
  Nanos deadline = kNever;
  Nanos submitted = 0;
  // Null if the outputs are wanted as they are.
  std::unique_ptr<const Pooling> pooling;
  uint64_t sequence = 0;
  // The length bucket to which it is padded; see ShapePlan.
  uint32_t bucket = 0;
  // Its place in the queue: its level after aging, and the time by which it is ordered.
  uint8_t level = 0;
  Nanos due = kNever;
  Backlog::Place place;
  // Whether it is admitted whatever the costs say, so that costs that refuse everything are measured again.
  bool trial = false;

  std::atomic<bool> cancelled{false};
  // Guards the borrowed inputs.
  BorrowGuard<> borrow;

  // The outcome. On success the request's rows start at `first_row` of the tensors in `outputs`. Unless they are
  // `shared`, all of their rows belong to the request.
  Status status;
  OutputRef outputs;
  int64_t first_row = 0;
  bool shared = false;
  // Whether it ran alone and its outputs have another number of rows than its inputs, so that dimension 0 does not
  // count rows.
  bool other_rows = false;
  // If outputs were padded, the shape of each without padding; otherwise empty.
  std::vector<Shape> own_shapes;
  Nanos started = 0;
  Nanos finished = 0;
  int64_t batch_rows = 0;
  uint32_t batch_requests = 0;
};

}  // namespace millrace
