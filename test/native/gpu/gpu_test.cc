// What only a GPU can show: that CUDA and TensorRT return what the CPU returns, in every device shape, with graphs
// and without, and what becomes of a model when memory or the device itself is gone.
//
// Reads ORT_LIBRARY. Where a provider cannot be used its tests are skipped, with the reason.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "gpu_model.h"
#include "ort/cuda_runtime.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// Of float32 arithmetic in another order, TF32 turned off.
constexpr double kTolerance = 1e-4;
const std::vector<int64_t> kRows = {1, 2, 8, 32};

const OrtLibrary* Library(Status& status) {
  const OrtLibrary* library = nullptr;
  status = gpu::OpenLibrary(library);
  return library;
}

std::string Fixture(const std::string& name) { return MILLRACE_TEST_MODELS + name + ".onnx"; }
std::string BenchModel(const std::string& name) { return MILLRACE_BENCH_MODELS + name + ".onnx"; }

// What the tests need is there if the smallest model loads.
Status Probe(const std::string& device) {
  Status status;
  const OrtLibrary* const library = Library(status);
  std::unique_ptr<LoadedExecutor> loaded;
  return status.ok() ? gpu::Load(*library, Fixture("poison"), device, {1}, loaded) : status;
}

std::vector<std::string> UsableProviders() {
  std::vector<std::string> usable;
  for (const char* device : {"cuda", "tensorrt"}) {
    if (Probe(device).ok()) usable.emplace_back(device);
  }
  return usable;
}

// One line for all that is left out where a provider cannot be used.
class ProviderTest : public testing::TestWithParam<std::string> {};

TEST_P(ProviderTest, CanBeUsed) {
  const Status status = Probe(GetParam());
  if (status.code() == Code::kFailedPrecondition) GTEST_SKIP() << status.message();
  EXPECT_TRUE(status.ok()) << status.message();
}

INSTANTIATE_TEST_SUITE_P(Gpu, ProviderTest, testing::Values("cuda", "tensorrt"),
                         [](const auto& each) { return each.param; });

class GpuTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    Status status;
    library = Library(status);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  Status Load(const std::string& path, std::vector<int64_t> shapes, KeyValues options = {}) {
    options.emplace_back("tf32", "false");
    cpu.reset();
    MILLRACE_RETURN_IF_ERROR(gpu::Load(*library, path, "cpu", {}, cpu));
    return gpu::Load(*library, path, GetParam(), shapes, executor, options);
  }

  // The largest difference from the CPU's outputs for these inputs.
  double Compare(const std::vector<TensorView>& inputs) {
    OutputRef here;
    OutputRef there;
    const Status ours = executor->Run(inputs, *Handle(*executor, own_), here);
    const Status theirs = cpu->Run(inputs, *Handle(*cpu, other_), there);
    if (!ours.ok() || !theirs.ok()) {
      ADD_FAILURE() << ours.message() << theirs.message();
      return NAN;
    }
    return gpu::Difference(*here, *there);
  }

  const OrtLibrary* library = nullptr;
  std::unique_ptr<LoadedExecutor> cpu;
  std::unique_ptr<LoadedExecutor> executor;

 private:
  static RunHandle* Handle(Executor& of, std::pair<Executor*, std::unique_ptr<RunHandle>>& kept) {
    if (kept.first != &of) kept = {&of, of.NewHandle()};
    return kept.second.get();
  }
  std::pair<Executor*, std::unique_ptr<RunHandle>> own_;
  std::pair<Executor*, std::unique_ptr<RunHandle>> other_;
};

TEST_P(GpuTest, EveryDeviceShapeReturnsWhatTheCpuReturns) {
  for (const std::string& path : {Fixture("two-in-two-out"), Fixture("reduce-mean-image"),
                                  BenchModel("tiny"), BenchModel("small"), BenchModel("medium")}) {
    const Status status = Load(path, kRows);
    ASSERT_TRUE(status.ok()) << path << ": " << status.message();
    Samples samples;
    ASSERT_TRUE(Samples::Make(executor->signature(), 33, samples).ok());
    for (const int64_t size : kRows) {
      // A device shape that is full, and one that lacks a row.
      for (const int64_t rows : {size, std::max<int64_t>(size - 1, 1)}) {
        EXPECT_LE(Compare(samples.Rows(1, static_cast<size_t>(rows))), kTolerance)
            << path << ", " << rows << " rows";
      }
    }
  }
}

TEST_P(GpuTest, AReplayedGraphSeesEachBatchsOwnInputs) {
  ASSERT_TRUE(Load(BenchModel("small"), {1, 4}, {{"graphs", "true"}}).ok());
  for (const auto& shape : executor->report().shapes) {
    EXPECT_TRUE(shape.graph) << (executor->report().notes.empty() ? ""
                                                                   : executor->report().notes[0]);
  }
  Samples samples;
  ASSERT_TRUE(Samples::Make(executor->signature(), 64, samples).ok());
  for (size_t first = 0; first < 60; ++first) {
    for (const size_t rows : {4, 1, 3}) {
      ASSERT_LE(Compare(samples.Rows(first, rows)), kTolerance) << first;
    }
  }
}

TEST_P(GpuTest, WithoutGraphsAndWithoutAStreamOfItsOwn) {
  const std::vector<KeyValues> ways = {{{"graphs", "false"}},
                                       {{"ownStream", "false"}},
                                       {{"graphs", "false"}, {"ownStream", "false"}},
                                       {{"slots", "1"}}};
  for (const KeyValues& options : ways) {
    ASSERT_TRUE(Load(BenchModel("tiny"), {8}, options).ok());
    Samples samples;
    ASSERT_TRUE(Samples::Make(executor->signature(), 16, samples).ok());
    for (size_t first = 0; first < 8; ++first) {
      EXPECT_LE(Compare(samples.Rows(first, 8)), kTolerance);
    }
  }
}

TEST_P(GpuTest, BatchesThatOverlapKeepApart) {
  ASSERT_TRUE(Load(BenchModel("small"), {4}).ok());
  Samples samples;
  ASSERT_TRUE(Samples::Make(executor->signature(), 64, samples).ok());
  std::vector<std::thread> workers;
  std::atomic<int> wrong{0};
  for (size_t worker = 0; worker < executor->staged()->depth(); ++worker) {
    workers.emplace_back([&, worker] {
      const std::unique_ptr<RunHandle> mine = executor->NewHandle();
      const std::unique_ptr<RunHandle> reference = cpu->NewHandle();
      for (size_t i = 0; i < 200; ++i) {
        const std::vector<TensorView> inputs = samples.Rows((i * 3 + worker * 7) % 60, 4);
        OutputRef here;
        OutputRef there;
        const bool ran = executor->Run(inputs, *mine, here).ok() &&
                         cpu->Run(inputs, *reference, there).ok();
        if (!ran || !(gpu::Difference(*here, *there) <= kTolerance)) wrong.fetch_add(1);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_P(GpuTest, ARequestOfNoDeviceShapeRunsOrIsRefused) {
  ASSERT_TRUE(Load(BenchModel("tiny"), {2}).ok());
  Samples samples;
  ASSERT_TRUE(Samples::Make(executor->signature(), 5, samples).ok());
  if (GetParam() == "cuda") {
    EXPECT_LE(Compare(samples.Rows(0, 5)), kTolerance);
    return;
  }
  const std::unique_ptr<RunHandle> handle = executor->NewHandle();
  OutputRef outputs;
  EXPECT_EQ(executor->Run(samples.Rows(0, 5), *handle, outputs).code(), Code::kInvalidArgument);
}

TEST_P(GpuTest, ReportsTheProviderOfEachNode) {
  ASSERT_TRUE(Load(BenchModel("small"), {4}).ok());
  const auto& nodes = executor->report().nodes;
  ASSERT_FALSE(nodes.empty());
  const std::string wanted =
      GetParam() == "cuda" ? "CUDAExecutionProvider" : "TensorrtExecutionProvider";
  EXPECT_TRUE(std::ranges::any_of(
      nodes, [&](const NodePlacement& node) { return node.provider == wanted; }));
  EXPECT_TRUE(Load(BenchModel("small"), {4}, {{"forbidCpuNodes", "true"}}).ok());
}

TEST_P(GpuTest, AMemoryLimitIsKeptAndLeavesTheGpuUsable) {
  std::unique_ptr<LoadedExecutor> none;
  const Status status = gpu::Load(*library, BenchModel("large"), "cuda", {1}, none,
                                  {{"memoryLimitBytes", "1048576"}});
  EXPECT_EQ(status.code(), Code::kResourceExhausted) << status.message();
  EXPECT_TRUE(Load(BenchModel("tiny"), {1}).ok());
}

TEST_P(GpuTest, MoreDeviceShapesThanTheGpuHasMemoryForAreRefused) {
  // Three terabytes of one input.
  std::unique_ptr<LoadedExecutor> none;
  SessionOptions options;
  options.path = Fixture("poison");
  options.device.device = "cuda";
  options.choose = [](const Signature&, Executor&, ShapeChoice& choice) {
    Shape huge;
    huge.rank = 2;
    huge.dims[0] = int64_t{3} << 37;
    huge.dims[1] = 2;
    choice = {true, {{huge.dims[0], {huge}}}};
    return Status();
  };
  EXPECT_EQ(LoadExecutor(*library, options, none).code(), Code::kResourceExhausted);
  EXPECT_TRUE(Load(BenchModel("tiny"), {1}).ok());
}

TEST_P(GpuTest, EnginesAreBuiltOnce) {
  if (GetParam() == "cuda") GTEST_SKIP() << "CUDA builds no engines";
  const fs::path folder = fs::temp_directory_path() / ("engines-" + std::to_string(getpid()));
  std::vector<double> seconds;
  for (int i = 0; i < 2; ++i) {
    SessionOptions options;
    options.path = BenchModel("small");
    options.device.device = GetParam();
    options.choose = gpu::RowShapes({1, 8});
    options.digest = "small";
    options.cache_folder = folder.string();
    std::unique_ptr<LoadedExecutor> loaded;
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(LoadExecutor(*library, options, loaded).ok());
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  EXPECT_FALSE(fs::is_empty(folder));
  EXPECT_LT(seconds[1], seconds[0] / 2);
  fs::remove_all(folder);
}

// In a process of its own, since nothing brings the device back: runs, destroys the process's context
// and runs again. Exit code 0: the second run failed with a status.
[[noreturn]] void LoseTheDevice(const std::string& device) {
  Status status;
  const OrtLibrary* const library = Library(status);
  std::unique_ptr<LoadedExecutor> executor;
  if (status.ok()) status = gpu::Load(*library, BenchModel("tiny"), device, {1}, executor);
  Samples samples;
  if (status.ok()) status = Samples::Make(executor->signature(), 1, samples);
  if (!status.ok()) _exit(2);
  const std::unique_ptr<RunHandle> handle = executor->NewHandle();
  OutputRef outputs;
  if (!executor->Run(samples.Rows(0, 1), *handle, outputs).ok()) _exit(3);
  const CudaRuntime* cuda = nullptr;
  if (!LoadCudaRuntime(cuda).ok()) _exit(4);
  void* const runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_NOLOAD);
  const auto reset = reinterpret_cast<CudaError (*)()>(dlsym(runtime, "cudaDeviceReset"));
  if (reset == nullptr || reset() != 0) _exit(5);
  const Status lost = executor->Run(samples.Rows(0, 1), *handle, outputs);
  std::fprintf(stderr, "after the reset: %s\n", lost.message().c_str());
  // Without destructors, which would use what is gone.
  _exit(lost.ok() ? 6 : 0);
}

TEST_P(GpuTest, ALostDeviceIsAnErrorAndNoCrash) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(LoseTheDevice(GetParam()), testing::ExitedWithCode(0), "after the reset");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GpuTest);
INSTANTIATE_TEST_SUITE_P(Gpu, GpuTest, testing::ValuesIn(UsableProviders()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace millrace
