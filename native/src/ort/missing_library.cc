#include "ort/missing_library.h"

#include <array>
#include <filesystem>

namespace millrace {
namespace {

struct Origin {
  std::string_view prefix;
  std::string_view remedy;
};

constexpr std::array<Origin, 10> kOrigins{{
    {"libcuda.so", "install the NVIDIA driver, or start the container with the NVIDIA runtime"},
    {"libcudart.so", "install the PyPI package nvidia-cuda-runtime"},
    {"libcublas", "install the PyPI package nvidia-cublas"},
    {"libcudnn", "install the PyPI package nvidia-cudnn-cu13"},
    {"libcufft", "install the PyPI package nvidia-cufft"},
    {"libcurand", "install the PyPI package nvidia-curand"},
    {"libnvrtc", "install the PyPI package nvidia-cuda-nvrtc"},
    {"libnvinfer", "install the PyPI package tensorrt-cu13-libs of that version"},
    {"libnvonnxparser", "install the PyPI package tensorrt-cu13-libs of that version"},
    {"libonnxruntime", "install the PyPI package onnxruntime-gpu"},
}};

// glibc writes "libcublas.so.13: cannot open shared object file: No such file or directory".
constexpr std::string_view kCannotOpen = ": cannot open shared object file";

std::string RemedyFor(std::string_view soname) {
  for (const Origin& origin : kOrigins) {
    if (soname.starts_with(origin.prefix)) return std::string(origin.remedy);
  }
  return "install it";
}

}  // namespace

std::string MissingSoname(std::string_view message) {
  const size_t end = message.find(kCannotOpen);
  if (end == std::string_view::npos) return {};
  const std::string_view before = message.substr(0, end);
  return std::string(before.substr(before.find_last_of("/ ") + 1));
}

Status CheckProviderFile(const std::string& library, const std::string& version,
                         std::string_view device, std::string_view file) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(library).parent_path();
  if (std::filesystem::exists(folder / file, error)) return {};
  return {Code::kFailedPrecondition,
          "Device '" + std::string(device) + "' needs " + std::string(file) +
              ", which is not beside the ONNX Runtime library (its npm package is for the CPU): "
              "install the PyPI package onnxruntime-gpu " +
              version + ", CUDA 13 and its driver, and point ORT_LIBRARY at libonnxruntime.so." +
              version + " in that package"};
}

Status ExplainLoadError(std::string_view device, const std::string& message) {
  const std::string prefix = "Device '" + std::string(device) + "' ";
  const std::string missing = MissingSoname(message);
  if (!missing.empty()) {
    return {Code::kFailedPrecondition,
            prefix + "needs " + missing + ", which is not installed: " + RemedyFor(missing) +
                ", and have its folder in LD_LIBRARY_PATH when the process starts"};
  }
  // The message without the paths before it and the line breaks after it.
  std::string reason = message.substr(message.find_last_of('/') + 1);
  while (!reason.empty() && (reason.back() == '\n' || reason.back() == ' ')) reason.pop_back();
  return {Code::kFailedPrecondition, prefix + "cannot be used: " + reason};
}

}  // namespace millrace
