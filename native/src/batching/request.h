// One request: its inputs, its terms, its outcome. One object from submit to answer.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "batching/backlog.h"
#include "batching/clock.h"
#include "batching/executor.h"
#include "batching/borrow_guard.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

struct Request;

// Receives finished requests, on the worker's thread. Implementations must not block for long.
class CompletionSink : public std::enable_shared_from_this<CompletionSink> {
 public:
  virtual ~CompletionSink() = default;

  // Takes the chain over; it runs from its newest request to its oldest through `next`.
  virtual void Finish(Request* newest, Request* oldest) noexcept = 0;

  // The request of `slot` shall be answered with `status` now, although its memory is still in use:
  // Finish follows when it is not. `turn` tells this request from a later one in the same slot.
  virtual void AnswerEarly(uint32_t slot, uint64_t turn, const Status& status) = 0;
};

struct Input {
  TensorView view;
  // Holds the bytes `view` points to, unless they are borrowed. Keeps its capacity between requests.
  std::unique_ptr<std::byte[]> copy;
  size_t capacity = 0;
  // Holds them instead where the device reads them by itself. Given back with the record.
  std::shared_ptr<std::byte> pinned;
  std::vector<std::string> strings;
};

// Written by one thread at a time: the submitter until Batcher::Submit returns kOk, then the worker
// that takes it, then the sink. `cancelled` and `borrow` alone are shared.
struct Request {
  // Link of the list that holds the request: inbox, then the sink's list.
  Request* next = nullptr;

  // Set once by the sink that owns the record.
  CompletionSink* sink = nullptr;
  uint32_t slot = 0;
  // Counts the requests that have used this record.
  uint64_t turn = 0;

  // The terms. `rows` is dimension 0 of every input where the model batches, else 1.
  std::vector<Input> inputs;
  int64_t rows = 1;
  uint8_t priority = 0;
  Nanos deadline = kNever;
  Nanos submitted = 0;
  uint64_t sequence = 0;
  // Which of the model's shapes it is padded to; see ShapePlan.
  uint32_t bucket = 0;
  // Where it stands in the queue: its level after aging, and the time it is ordered by.
  uint8_t level = 0;
  Nanos due = kNever;
  Backlog::Place place;
  // It runs whatever costs say, so that costs which keep everything out are measured again.
  bool trial = false;

  std::atomic<bool> cancelled{false};
  // Of the inputs that are borrowed.
  BorrowGuard<> borrow;

  // The outcome. On success the request's rows start at `first_row` of the block's tensors; a block
  // that was not shared is the request's whole.
  Status status;
  OutputRef outputs;
  int64_t first_row = 0;
  bool shared = false;
  // It ran alone and came back with another number of rows: dimension 0 does not count them.
  bool other_rows = false;
  // Where outputs were padded: the shape of each as the request alone would have got it. Else empty.
  std::vector<Shape> own_shapes;
  Nanos started = 0;
  Nanos finished = 0;
  int64_t batch_rows = 0;
  uint32_t batch_requests = 0;
};

}  // namespace millrace
