// Our batcher without HTTP and without JavaScript: one thread keeps `width` requests of one row in
// flight, as a JavaScript thread with as many connections would.
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "batching/batcher.h"
#include "ort/session.h"
#include "trial.h"

namespace millrace::bench {
namespace {

// Gathers finished requests until the driver takes them, all at once.
class Finished final : public CompletionSink {
 public:
  void Finish(Request* newest, Request* oldest) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      oldest->next = chain_;
      chain_ = newest;
    }
    some_.notify_one();
  }

  void FailEarly(uint32_t, uint64_t, const Status&) override {}

  Request* Take() {
    std::unique_lock lock(mutex_);
    some_.wait(lock, [this] { return chain_ != nullptr; });
    return std::exchange(chain_, nullptr);
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  Request* chain_ = nullptr;
};

void Fill(const Trial& trial, CompletionSink& sink, Request& request) {
  const size_t bytes = trial.features.size() * sizeof(float);
  request.sink = &sink;
  Input& input = request.inputs.emplace_back();
  input.copy = std::make_unique<std::byte[]>(bytes);
  input.capacity = bytes;
  std::memcpy(input.copy.get(), trial.features.data(), bytes);
  input.view.type = ElementType::kFloat32;
  input.view.shape.rank = 2;
  input.view.shape.dims[0] = 1;
  input.view.shape.dims[1] = static_cast<int64_t>(trial.features.size());
  input.view.data = input.copy.get();
  input.view.bytes = bytes;
}

// Sends the request off, as it was the first time; everything a run wrote into it is reset.
Status Submit(Batcher& batcher, const Clock& clock, Request& request) {
  request.next = nullptr;
  request.outputs.reset();
  request.submitted = clock.Now();
  const Code code = batcher.Submit(&request);
  return code == Code::kOk ? Status() : Status(code, "The batcher refused a request");
}

Status CheckOutput(const Trial& trial, const Request& request) {
  MILLRACE_RETURN_IF_ERROR(request.status);
  const TensorView& scores = request.outputs->tensors.front();
  const size_t columns = trial.scores.size();
  const auto* first = reinterpret_cast<const float*>(scores.data) +
                      static_cast<size_t>(request.first_row) * columns;
  return CheckRows(trial, {first, columns});
}

// Submits the next request as soon as one finishes, until the time is over, then waits for the
// rest. `completed` counts those until then.
Status Drive(const Trial& trial, Batcher& batcher, const Clock& clock, Finished& finished,
             std::span<Request> requests, double until, int64_t& completed) {
  for (Request& request : requests) MILLRACE_RETURN_IF_ERROR(Submit(batcher, clock, request));
  size_t in_flight = requests.size();
  bool over = false;
  while (in_flight > 0) {
    Request* request = finished.Take();
    over = over || Now().wall >= until;
    while (request != nullptr) {
      Request* const next = request->next;
      MILLRACE_RETURN_IF_ERROR(CheckOutput(trial, *request));
      ++completed;
      if (over) {
        --in_flight;
      } else {
        MILLRACE_RETURN_IF_ERROR(Submit(batcher, clock, *request));
      }
      request = next;
    }
  }
  return {};
}

Status NativeDriver(const Trial& trial, const OrtLibrary& library) {
  std::unique_ptr<Session> session;
  SessionOptions session_options;
  session_options.path = trial.model;
  session_options.intra_op_threads = trial.intra_op_threads;
  MILLRACE_RETURN_IF_ERROR(Session::Load(library, session_options, session));

  BatcherOptions options;
  options.pending.batched = true;
  options.policy.kind = PolicyKind::kExcess;
  options.policy.max_rows = trial.max_rows;
  options.workers = trial.instances;
  // As the engine does: on few cores a spinning worker takes one from the other threads.
  options.spin = std::thread::hardware_concurrency() > 2 ? 20'000 : 0;
  const auto finished = std::make_shared<Finished>();
  std::vector<Request> requests(static_cast<size_t>(trial.width));
  for (Request& request : requests) Fill(trial, *finished, request);
  const SteadyClock clock;
  Batcher batcher(*session, clock, options);

  int64_t completed = 0;
  MILLRACE_RETURN_IF_ERROR(Drive(trial, batcher, clock, *finished, requests, Now().wall, completed));
  completed = 0;
  const Instant start = Now();
  MILLRACE_RETURN_IF_ERROR(Drive(trial, batcher, clock, *finished, requests,
                                 start.wall + trial.seconds, completed));
  const Instant end = Now();
  Report(static_cast<double>(completed) / (end.wall - start.wall), start, end);
  batcher.Close();
  return {};
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  return millrace::bench::Main(argc, argv, &millrace::bench::NativeDriver);
}
