// Sentences about what is missing or refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ort/messages.h"
#include "ort/graph.h"
#include "ort/missing_library.h"
#include "ort/run_handle.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// As ONNX Runtime says it, with the build's paths.
constexpr const char* kNoCublas =
    "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2326 onnxruntime::Provider& "
    "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
    "/opt/ort/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared "
    "object file: No such file or directory\n";

TEST(MissingSoname, IsTheFileThatCouldNotBeOpened) {
  EXPECT_EQ(MissingSoname(kNoCublas), "libcublasLt.so.13");
  EXPECT_EQ(MissingSoname("/opt/x/libcudnn.so.9: cannot open shared object file: No such file"),
            "libcudnn.so.9");
  EXPECT_EQ(MissingSoname("undefined symbol: cudnnCreate"), "");
}

TEST(ExplainLoadError, NamesTheLibraryAndItsPackage) {
  const Status status = ExplainLoadError("cuda", kNoCublas);
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "Device 'cuda' needs libcublasLt.so.13, which is not installed: install the PyPI package "
            "nvidia-cublas, and have its folder in LD_LIBRARY_PATH when the process starts");
}

TEST(ExplainLoadError, KnowsWhereEveryLibraryComesFrom) {
  for (const auto& [soname, remedy] : std::vector<std::pair<std::string, std::string>>{
           {"libcuda.so.1", "NVIDIA driver"},
           {"libcudart.so.13", "nvidia-cuda-runtime"},
           {"libcublas.so.13", "nvidia-cublas"},
           {"libcudnn.so.9", "nvidia-cudnn-cu13"},
           {"libcufft.so.12", "nvidia-cufft"},
           {"libcurand.so.10", "nvidia-curand"},
           {"libnvrtc.so.13", "nvidia-cuda-nvrtc"},
           {"libnvinfer.so.10", "tensorrt-cu13-libs"},
           {"libnvonnxparser.so.10", "tensorrt-cu13-libs"},
           {"libonnxruntime_providers_shared.so", "onnxruntime-gpu"},
           {"libodd.so.1", "install it"}}) {
    const std::string message =
        ExplainLoadError("tensorrt", soname + ": cannot open shared object file").message();
    EXPECT_NE(message.find(soname), std::string::npos);
    EXPECT_NE(message.find(remedy), std::string::npos) << message;
  }
}

TEST(ExplainLoadError, LeavesOutPathsOfOtherMessages) {
  EXPECT_EQ(ExplainLoadError("cuda", "/a/b/c.cc:12 CUDA failure 100: no device \n").message(),
            "Device 'cuda' cannot be used: c.cc:12 CUDA failure 100: no device");
}

TEST(CheckProviderFile, LooksBesideTheLibrary) {
  const fs::path folder = fs::temp_directory_path() / ("millrace-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string library = (folder / "libonnxruntime.so.1").string();
  const Status missing = CheckProviderFile(library, "1.30.0", "cuda", "libprovider.so");
  EXPECT_EQ(missing.code(), Code::kFailedPrecondition);
  for (const char* part : {"'cuda'", "libprovider.so", "onnxruntime-gpu 1.30.0", "ORT_LIBRARY"}) {
    EXPECT_NE(missing.message().find(part), std::string::npos) << part;
  }
  EXPECT_EQ(missing.message().find(folder.string()), std::string::npos) << "no path";
  std::ofstream(folder / "libprovider.so") << "x";
  EXPECT_TRUE(CheckProviderFile(library, "1.30.0", "cuda", "libprovider.so").ok());
  fs::remove_all(folder);
}

TEST(RefusesGraphs, SaysWhy) {
  const std::string refusal =
      "This session cannot use the graph capture feature as requested by the user ";
  std::string reason;
  EXPECT_TRUE(RefusesGraphs(refusal + "as the model has control flow nodes which can't be", reason));
  EXPECT_EQ(reason, "the model has control flow, which a graph cannot record");
  EXPECT_TRUE(
      RefusesGraphs(refusal + "as all the graph nodes have not been assigned to CUDA", reason));
  EXPECT_EQ(reason, "some nodes do not run on the GPU, and a graph records all or nothing");
  EXPECT_TRUE(RefusesGraphs(refusal, reason));
  EXPECT_EQ(reason, "ONNX Runtime refuses them for this model");
  EXPECT_FALSE(RefusesGraphs("Protobuf parsing failed", reason));
  EXPECT_EQ(GraphsOff("why"), "CUDA graphs are off: why");
  EXPECT_EQ(ShapeGraphOff(8, "why"), "No CUDA graph for the device shape of 8 rows: why");
  EXPECT_NE(OutputsNotStatic(8, "y").find("output 'y' depends on the data"), std::string::npos);
}

TEST(RefusesProfile, KnowsTensorRtsWords) {
  EXPECT_TRUE(RefusesProfile(
      "User needs to provide all the dynamic shape inputs with associated profiles if they want to "
      "explicitly set profiles through provider options."));
  EXPECT_FALSE(RefusesProfile("Out of memory"));
}

TEST(SaysOutOfMemory, KnowsEveryPlaceItCanRunOut) {
  for (const char* message :
       {"Failed to allocate memory for requested buffer of size 8", "out of memory", "std::bad_alloc",
        "Available memory of 1 is smaller than requested bytes of 2"}) {
    EXPECT_TRUE(SaysOutOfMemory(message)) << message;
  }
  EXPECT_FALSE(SaysOutOfMemory("Invalid rank"));
}

}  // namespace
}  // namespace millrace
