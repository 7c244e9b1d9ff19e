// ONNX Runtime on the CPU, as the provider of a fake GPU.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ort/device_session.h"
#include "support/fake_cuda.h"
#include "support/fake_gpu.h"

namespace millrace::test {

// The library that npm has installed, on the fake GPU.
inline const OrtLibrary& TestLibrary() {
  static const OrtLibrary* const library = [] {
    const OrtLibrary* opened = nullptr;
    const Status status = OpenOrtLibrary(MILLRACE_TEST_ORT, opened);
    if (!status.ok()) throw std::runtime_error(status.message() + ": run `npm run build` first");
    return opened;
  }();
  return FakeGpu::Library(*library);
}

inline std::string ModelPath(const std::string& name) { return MILLRACE_TEST_MODELS + name + ".onnx"; }

class FakeProvider final : public Provider {
 public:
  const char* memory() const noexcept override { return "Cpu"; }
  std::vector<OptionRow> options() const override {
    std::vector<OptionRow> rows = BehaviourRows();
    rows.push_back({"fp16", "trt_fp16_enable", OptionRow::Kind::kFlag});
    return rows;
  }
  bool builds_tensorrt_engines() const noexcept override { return engines; }
  bool graphs_by_default() const noexcept override { return graphs; }
  Status CheckFiles(const OrtLibrary&) const override { return files; }
  Status Append(const ProviderRequest& request, OrtSessionOptions*) const override {
    requests.push_back({request.graphs, request.profile, request.tensorrt_engine_folder,
                        request.timing_folder, request.stream != nullptr});
    FakeGpu::UseStream(ignores_stream ? nullptr : request.stream);
    if (request.graphs && !refuses_graphs.empty()) {
      return {Code::kInvalidArgument, refuses_graphs};
    }
    if (!request.profile.min.empty() && !refuses_profile.empty()) {
      return {Code::kInvalidArgument, refuses_profile};
    }
    return append;
  }

  // What it was asked for, one entry for each session.
  struct Seen {
    bool graphs;
    Profile profile;
    std::string engines;
    std::string timings;
    bool stream;
  };
  mutable std::vector<Seen> requests;

  bool engines = false;
  bool graphs = false;
  // Runs use a stream of the provider's own, whatever it is given.
  bool ignores_stream = false;
  Status files;
  Status append;
  std::string refuses_graphs;
  std::string refuses_profile;
};

}  // namespace millrace::test
