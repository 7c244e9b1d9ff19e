#include "batching/batch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace millrace {
namespace {

constexpr size_t kAlignment = 64;

// Marks borrowed inputs as being read; false if their owner has taken them back.
bool BeginRead(Request& request) noexcept {
  Borrow held = Borrow::kHeld;
  return request.borrow.compare_exchange_strong(held, Borrow::kReading,
                                                std::memory_order_acquire) ||
         held == Borrow::kNone;
}

// release pairs with the owner's acquire: once it sees kHeld again all reads are over.
void EndRead(Request& request) noexcept {
  Borrow reading = Borrow::kReading;
  request.borrow.compare_exchange_strong(reading, Borrow::kHeld, std::memory_order_release,
                                         std::memory_order_relaxed);
}

// Copies input `index` of all requests, one after another, into staging memory.
TensorView Gather(std::span<Request*> requests, size_t index, int64_t rows, Staging& staging) {
  TensorView whole = requests.front()->inputs[index].view;
  whole.shape.dims[0] = rows;
  if (whole.type == ElementType::kString) {
    std::vector<std::string>& strings = staging.Strings(index);
    strings.clear();
    for (const Request* request : requests) {
      const auto& own = request->inputs[index].strings;
      strings.insert(strings.end(), own.begin(), own.end());
    }
    whole.strings = strings.data();
    return whole;
  }
  whole.bytes = 0;
  for (const Request* request : requests) whole.bytes += request->inputs[index].view.bytes;
  std::byte* target = staging.Reserve(index, whole.bytes);
  whole.data = target;
  for (const Request* request : requests) {
    const TensorView& part = request->inputs[index].view;
    if (part.bytes != 0) std::memcpy(target, part.data, part.bytes);
    target += part.bytes;
  }
  return whole;
}

// Copies a lone request's borrowed inputs; its own copies are used where they are.
TensorView Own(const Request& request, size_t index, Staging& staging) {
  TensorView view = request.inputs[index].view;
  if (view.type == ElementType::kString) {
    view.strings = request.inputs[index].strings.data();
  } else if (view.data != request.inputs[index].copy.get() && view.bytes != 0) {
    std::byte* const target = staging.Reserve(index, view.bytes);
    std::memcpy(target, view.data, view.bytes);
    view.data = target;
  }
  return view;
}

Status CheckRows(const OutputBlock& block, int64_t rows) {
  for (size_t i = 0; i < block.tensors.size(); ++i) {
    const Shape& shape = block.tensors[i].shape;
    if (shape.rank != 0 && shape.dims[0] == rows) continue;
    return {Code::kInternal,
            "Output " + std::to_string(i) + " of a batch of " + std::to_string(rows) + " rows has " +
                (shape.rank == 0 ? "no rows" : std::to_string(shape.dims[0]) + " rows") +
                ": load this model with batching turned off"};
  }
  return {};
}

void Fail(std::span<Request*> requests, const Status& status, Nanos started, Nanos finished) {
  for (Request* request : requests) {
    request->status = status;
    request->started = started;
    request->finished = finished;
  }
}

// The inputs of one run. After it no borrowed memory is needed any more.
std::vector<TensorView> GatherAll(std::span<Request*> requests, int64_t rows, Staging& staging) {
  std::vector<TensorView> inputs;
  const size_t count = requests.front()->inputs.size();
  inputs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    inputs.push_back(requests.size() > 1 ? Gather(requests, i, rows, staging)
                                         : Own(*requests.front(), i, staging));
  }
  return inputs;
}

void Succeed(std::span<Request*> requests, const OutputRef& outputs, int64_t rows, Nanos started,
             Nanos finished) {
  int64_t first_row = 0;
  for (Request* request : requests) {
    request->status = {};
    request->outputs = outputs;
    request->first_row = first_row;
    request->shared = requests.size() > 1;
    request->started = started;
    request->finished = finished;
    request->batch_rows = rows;
    request->batch_requests = static_cast<uint32_t>(requests.size());
    first_row += request->rows;
  }
}

// One attempt; every request is left with an outcome.
Status RunOnce(std::span<Request*> requests, const Lane& lane) {
  Nanos started = lane.clock.Now();
  Status status;
  OutputRef outputs;
  int64_t rows = 0;
  try {
    for (const Request* request : requests) rows += request->rows;
    const std::vector<TensorView> inputs = GatherAll(requests, rows, lane.staging);
    for (Request* request : requests) EndRead(*request);
    started = lane.clock.Now();
    status = lane.executor.Run(inputs, lane.handle, outputs);
    if (status.ok() && lane.batched) status = CheckRows(*outputs, rows);
  } catch (const std::bad_alloc&) {
    for (Request* request : requests) EndRead(*request);
    status = {Code::kResourceExhausted, "Out of memory: send fewer or smaller rows"};
  }
  const Nanos finished = lane.clock.Now();
  if (status.ok()) {
    Succeed(requests, outputs, rows, started, finished);
  } else {
    Fail(requests, status, started, finished);
  }
  return status;
}

}  // namespace

void RunBatch(std::span<Request*> requests, const Lane& lane) {
  const auto revoked = std::ranges::stable_partition(
      requests, [](Request* request) { return BeginRead(*request); });
  const Nanos now = lane.clock.Now();
  Fail({revoked.begin(), revoked.end()},
       {Code::kCancelled, "The thread that sent the request has ended"}, now, now);
  requests = requests.first(requests.size() - revoked.size());
  if (requests.empty()) return;

  const Status status = RunOnce(requests, lane);
  // A run that was cut short for its length would only take as long again.
  if (status.ok() || requests.size() == 1 || status.code() == Code::kDeadlineExceeded) return;
  const size_t half = requests.size() / 2;
  RunBatch(requests.first(half), lane);
  RunBatch(requests.subspan(half), lane);
}

void Staging::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

Staging::Buffer& Staging::At(size_t input) {
  if (buffers_.size() <= input) buffers_.resize(input + 1);
  return buffers_[input];
}

std::byte* Staging::Reserve(size_t input, size_t bytes) {
  Buffer& buffer = At(input);
  if (buffer.capacity < bytes || buffer.memory == nullptr) {
    const size_t capacity = (bytes / kAlignment + 1) * kAlignment;
    buffer.memory.reset();
    buffer.capacity = 0;
    buffer.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, capacity)));
    if (buffer.memory == nullptr) throw std::bad_alloc();
    buffer.capacity = capacity;
  }
  return buffer.memory.get();
}

std::vector<std::string>& Staging::Strings(size_t input) { return At(input).strings; }

}  // namespace millrace
