// The raw loop: ONNX Runtime called again and again on tensors that were made once. Nothing that
// serves requests can be faster with the same workers and threads.
#include <onnxruntime_c_api.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>

#include "trial.h"

namespace millrace::bench {
namespace {

// One worker's tensors and its result.
struct Worker {
  std::vector<float> features;
  std::vector<float> scores;
  OrtValuePtr input;
  OrtValuePtr output;
  OrtSession* session = nullptr;
  double items_per_second = 0;
  Status status;
};

// What all workers share.
struct Loop {
  const OrtApi& api;
  std::array<const char*, 1> inputs;
  std::array<const char*, 1> outputs;
};

Status MakeTensor(const OrtApi& api, const OrtMemoryInfo* memory, int64_t rows,
                  std::vector<float>& values, OrtValuePtr& tensor) {
  const std::array<int64_t, 2> shape{rows, static_cast<int64_t>(values.size()) / rows};
  OrtValue* raw = nullptr;
  MILLRACE_ORT(api,
               CreateTensorWithDataAsOrtValue(memory, values.data(), values.size() * sizeof(float),
                                              shape.data(), shape.size(),
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &raw),
               Code::kInternal);
  tensor = OrtValuePtr(raw, {&api});
  return {};
}

Status Prepare(const Trial& trial, const OrtApi& api, Worker& worker) {
  OrtMemoryInfo* raw = nullptr;
  MILLRACE_ORT(api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &raw),
               Code::kInternal);
  const OrtMemoryInfoPtr memory(raw, {&api});
  for (int64_t row = 0; row < trial.width; ++row) {
    worker.features.insert(worker.features.end(), trial.features.begin(), trial.features.end());
  }
  worker.scores.resize(static_cast<size_t>(trial.width) * trial.scores.size());
  MILLRACE_RETURN_IF_ERROR(MakeTensor(api, raw, trial.width, worker.features, worker.input));
  return MakeTensor(api, raw, trial.width, worker.scores, worker.output);
}

Status RunOnce(const Loop& loop, Worker& worker) {
  const OrtValue* input = worker.input.get();
  OrtValue* output = worker.output.get();
  MILLRACE_ORT(loop.api,
               Run(worker.session, nullptr, loop.inputs.data(), &input, 1, loop.outputs.data(), 1,
                   &output),
               Code::kInternal);
  return {};
}

// Whole runs are timed, so that a run longer than the measurement's last moment costs no accuracy.
Status RunFor(const Loop& loop, const Trial& trial, Worker& worker) {
  for (int i = 0; i < 3; ++i) MILLRACE_RETURN_IF_ERROR(RunOnce(loop, worker));
  const double start = Now().wall;
  double now = start;
  int64_t runs = 0;
  // The clock is read once in a while: for a model of a microsecond it would be the larger part.
  const int64_t stride = std::max<int64_t>(1, 256 / trial.width);
  for (bool first = true; first || now < start + trial.seconds; first = false) {
    // The first round is a single run, because 256 runs of a slow model would take minutes.
    const int64_t count = runs == 0 || (now - start) / static_cast<double>(runs) > 1e-3 ? 1 : stride;
    for (int64_t i = 0; i < count; ++i) MILLRACE_RETURN_IF_ERROR(RunOnce(loop, worker));
    runs += count;
    now = Now().wall;
  }
  worker.items_per_second = static_cast<double>(runs * trial.width) / (now - start);
  return CheckRows(trial, worker.scores);
}

Status OpenSession(const Trial& trial, const OrtLibrary& library, OrtSessionPtr& session) {
  const OrtApi& api = *library.api;
  OrtSessionOptions* raw_options = nullptr;
  MILLRACE_ORT(api, CreateSessionOptions(&raw_options), Code::kInternal);
  const OrtSessionOptionsPtr options(raw_options, {&api});
  MILLRACE_ORT(api, SetIntraOpNumThreads(raw_options, trial.intra_op_threads), Code::kInternal);
  MILLRACE_ORT(api, SetInterOpNumThreads(raw_options, 1), Code::kInternal);
  OrtSession* raw = nullptr;
  MILLRACE_ORT(api, CreateSession(library.env, trial.model.c_str(), raw_options, &raw),
               Code::kInvalidArgument);
  session = OrtSessionPtr(raw, {&api});
  return {};
}

Status FirstName(const OrtApi& api, const OrtSession* session, bool input, std::string& name) {
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  char* raw = nullptr;
  const auto get = input ? api.SessionGetInputName : api.SessionGetOutputName;
  MILLRACE_RETURN_IF_ERROR(FromOrt(api, get(session, 0, allocator, &raw), Code::kInternal));
  name = raw;
  MILLRACE_ORT(api, AllocatorFree(allocator, raw), Code::kInternal);
  return {};
}

Status Raw(const Trial& trial, const OrtLibrary& library) {
  const OrtApi& api = *library.api;
  std::vector<OrtSessionPtr> sessions(trial.sessions);
  std::string input;
  std::string output;
  for (OrtSessionPtr& session : sessions) {
    MILLRACE_RETURN_IF_ERROR(OpenSession(trial, library, session));
  }
  MILLRACE_RETURN_IF_ERROR(FirstName(api, sessions.front().get(), true, input));
  MILLRACE_RETURN_IF_ERROR(FirstName(api, sessions.front().get(), false, output));
  const Loop loop{api, {input.c_str()}, {output.c_str()}};

  std::vector<Worker> workers(trial.instances);
  for (size_t i = 0; i < workers.size(); ++i) {
    workers[i].session = sessions[i % sessions.size()].get();
    MILLRACE_RETURN_IF_ERROR(Prepare(trial, api, workers[i]));
  }
  const Instant start = Now();
  std::vector<std::thread> threads;
  for (Worker& worker : workers) {
    threads.emplace_back([&] { worker.status = RunFor(loop, trial, worker); });
  }
  for (std::thread& thread : threads) thread.join();

  double items_per_second = 0;
  for (Worker& worker : workers) {
    MILLRACE_RETURN_IF_ERROR(worker.status);
    items_per_second += worker.items_per_second;
  }
  Report(items_per_second, start, Now());
  return {};
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  return millrace::bench::Main(argc, argv, &millrace::bench::Raw);
}
