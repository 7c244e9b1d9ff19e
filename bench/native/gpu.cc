// What a GPU does, bucket by bucket: the path of the product against ONNX Runtime called in a loop.
//
// Reads ORT_LIBRARY. Where a provider cannot be used it says so and goes on; the exit code is 0.
#include <chrono>
#include <cstdio>
#include <thread>

#include "../../test/native/gpu/gpu_model.h"
#include "ort/cuda_runtime.h"
#include "ort/provider.h"

namespace millrace::bench {
namespace {

using Seconds = std::chrono::duration<double>;

const std::vector<int64_t> kBuckets = {1, 4, 16, 64};
constexpr double kTrial = 1.0;

// Calls `run` for the length of a trial, after a few calls that are not counted; seconds for each.
template <class Run>
double Measure(const Run& run) {
  for (int i = 0; i < 10; ++i) {
    if (!run()) return 0;
  }
  size_t calls = 0;
  const auto began = std::chrono::steady_clock::now();
  Seconds took{};
  do {
    if (!run()) return 0;
    ++calls;
    took = std::chrono::steady_clock::now() - began;
  } while (took.count() < kTrial);
  return took.count() / static_cast<double>(calls);
}

// Runs for each second with every worker at work, so that copies overlap runs.
double Pipelined(LoadedExecutor& executor, const std::vector<TensorView>& inputs) {
  std::atomic<uint64_t> runs{0};
  std::vector<std::thread> workers;
  const auto end = std::chrono::steady_clock::now() + Seconds(kTrial);
  for (size_t worker = 0; worker < executor.staged()->depth(); ++worker) {
    workers.emplace_back([&] {
      const std::unique_ptr<RunHandle> handle = executor.NewHandle();
      OutputRef outputs;
      while (std::chrono::steady_clock::now() < end &&
             executor.Run(inputs, *handle, outputs).ok()) {
        runs.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(runs.load()) / kTrial;
}

// ONNX Runtime's own loop over the same session: inputs and outputs in the CPU's memory.
Status Plain(const OrtLibrary& library, const std::string& path, const std::string& device,
             std::unique_ptr<Session>& session) {
  DeviceSpec spec;
  MILLRACE_RETURN_IF_ERROR(ParseDevice(device, spec));
  const KeyValues none;
  const ProviderRequest request{library, spec, none, none};
  SessionOptions options;
  options.path = path;
  SessionSetup setup;
  setup.provider = &ProviderFor(spec.kind);
  setup.request = &request;
  return Session::Open(library, options, setup, session);
}

Status MeasureModel(const OrtLibrary& library, const std::string& name, const std::string& device) {
  const std::string path = MILLRACE_BENCH_MODELS + name + ".onnx";
  std::unique_ptr<LoadedExecutor> executor;
  MILLRACE_RETURN_IF_ERROR(gpu::Load(library, path, device, kBuckets, executor));
  std::unique_ptr<Session> plain;
  MILLRACE_RETURN_IF_ERROR(Plain(library, path, device, plain));
  for (const std::string& note : executor->report().notes) {
    std::printf("  %s: %s\n", name.c_str(), note.c_str());
  }
  Samples samples;
  MILLRACE_RETURN_IF_ERROR(Samples::Make(executor->signature(), 64, samples));
  const std::unique_ptr<RunHandle> ours = executor->NewHandle();
  const std::unique_ptr<RunHandle> theirs = plain->NewHandle();
  for (const DeviceReport::WarmShape& shape : executor->report().shapes) {
    const int64_t rows = shape.inputs[0].dims[0];
    const auto time = [&](Executor& subject, RunHandle& handle, int64_t count) {
      const std::vector<TensorView> inputs = samples.Rows(0, static_cast<size_t>(count));
      return Measure([&] {
        OutputRef outputs;
        return subject.Run(inputs, handle, outputs).ok();
      });
    };
    const double full = time(*executor, *ours, rows);
    const double unseen = rows > 1 ? time(*executor, *ours, rows - 1) : full;
    const double raw = time(*plain, *theirs, rows);
    const double rate = Pipelined(*executor, samples.Rows(0, static_cast<size_t>(rows)));
    std::printf("%-9s %-7s %5lld %6s %9.3f %9.3f %12.0f %8.2f %8.2f\n", device.c_str(), name.c_str(),
                static_cast<long long>(rows), shape.graph ? "yes" : "no", full * 1e3, raw * 1e3,
                rate * static_cast<double>(rows), unseen / full, rate * raw);
  }
  return {};
}

int Main() {
  const OrtLibrary* library = nullptr;
  if (const Status status = gpu::OpenLibrary(library); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 1;
  }
  std::printf("ONNX Runtime %s\n", library->version.c_str());
  const CudaRuntime* cuda = nullptr;
  GpuInfo info;
  if (LoadCudaRuntime(cuda).ok() && ReadGpuInfo(*cuda, 0, info).ok()) {
    std::printf("%s, %.0f GiB\n", info.name.c_str(), static_cast<double>(info.total_bytes) / (1 << 30));
  }
  std::printf("%-9s %-7s %5s %6s %9s %9s %12s %8s %8s\n", "device", "model", "rows", "graph",
              "run, ms", "plain, ms", "rows/s", "T19", "T20");
  for (const char* device : {"cuda", "tensorrt"}) {
    for (const char* name : {"tiny", "small", "medium", "large"}) {
      const Status status = MeasureModel(*library, name, device);
      if (status.ok()) continue;
      std::printf("%-9s skipped: %s\n", device, status.message().c_str());
      if (status.code() == Code::kFailedPrecondition) break;
    }
  }
  std::printf("run: copies and run of one batch at a time; plain: ONNX Runtime's Run in a loop;\n"
              "rows/s: with copies that overlap runs; T19: a batch that lacks a row / a full one;\n"
              "T20: throughput / that of the plain loop\n");
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main() { return millrace::bench::Main(); }
