// A model as ONNX Runtime runs it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ort/loaded.h"
#include "ort/placement.h"
#include "ort/provider.h"
#include "ort/run_handle.h"

namespace millrace {

// The device that runs a model, and its options. Everything has a default.
struct DeviceOptions {
  std::string device = "cpu";
  // Typed options by the names of native/device-types.ts, with their values as strings.
  KeyValues options;
  // ONNX Runtime's own keys for its provider.
  KeyValues provider_options;

  // Tests set these two. If null, the provider is chosen by `device`, and the CUDA runtime is searched for.
  const Provider* provider = nullptr;
  const CudaRuntime* cuda = nullptr;
};

// The choices that depend on the model's signature.
struct ShapeChoice {
  // Whether dimension 0 of every input and output counts rows. A batch may then have fewer rows than its device shape.
  bool batched = false;
  // The shapes for which a GPU is warmed and keeps buffers. Each names a shape for every input. May be empty.
  std::vector<DeviceShape> shapes;
};

// Makes the choice. `trial` runs the model on any shape, and is valid during the call. It is called during the load, on
// one of its threads, and more than once if there are several devices to try.
using ShapeChooser =
    std::function<Status(const Signature& signature, Executor& trial, ShapeChoice& choice)>;

struct SessionOptions {
  // Exactly one of the two is set, from a ModelSnapshot, so that it does not change while sessions are made of it.
  // External data lie beside `path`.
  std::string path;
  std::string_view bytes;
  // The folder of external data if `bytes` has any.
  std::string external_folder;
  // The number of threads inside one run, at least 1.
  int intra_op_threads = 1;
  // Sizes for dimensions of inputs that the file leaves open, by their names.
  std::vector<std::pair<std::string, int64_t>> dimensions;

  DeviceOptions device;
  // If null, the model is not batched and there are no device shapes.
  ShapeChooser choose;
  // The digest from ModelFacts. If it or `cache_folder` is empty, TensorRT engines are not kept.
  std::string digest;
  std::string cache_folder;
};

// Loads a model onto the device that `options` names. The other folders load models only through this function.
//
// It reads and optimises the model and warms every device shape, which takes seconds for a large model, and minutes if
// a TensorRT engine is built. Returns kInvalidArgument if the file is not a model that this library can run or an
// option is wrong, kFailedPrecondition with what is missing if the device cannot be used, and kResourceExhausted if
// memory runs out.
Status LoadExecutor(const OrtLibrary& library, const SessionOptions& options,
                    std::unique_ptr<LoadedExecutor>& executor);

// What is needed to make a session, besides the model and its options.
struct SessionSetup {
  const Provider* provider = nullptr;
  // If null, the session runs on the CPU.
  const ProviderRequest* request = nullptr;
  bool forbid_cpu_nodes = false;
  // Whether a profile is written until ReadPlacement. If that is impossible, only ReadPlacement fails.
  bool profile = false;
  // Whether the graph is left as it is, which is quicker if only the signature is needed.
  bool unoptimised = false;
  // Whether nearly every run has other shapes than those before. ONNX Runtime then plans no memory by shapes, of which it
  // would keep a plan for each.
  bool changing_shapes = false;
};

// One ONNX Runtime session, which all workers of a model share, so that its weights exist once. Run takes inputs of any
// shape in the CPU's memory, whatever the device is.
class Session final : public LoadedExecutor {
 public:
  // Makes the CPU's session of a model. Returns kInvalidArgument if the file is not a model that this library can run,
  // and kUnimplemented if an input or output has no JavaScript form.
  static Status Load(const OrtLibrary& library, const SessionOptions& options,
                     std::unique_ptr<Session>& session);
  static Status Open(const OrtLibrary& library, const SessionOptions& options,
                     const SessionSetup& setup, std::unique_ptr<Session>& session);

  // Releases the session, unless the process is exiting.
  ~Session() override;

  const Signature& signature() const noexcept override { return signature_; }
  const DeviceReport& report() const noexcept override { return report_; }

  std::unique_ptr<RunHandle> NewHandle() override;
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override;

  // Reports that another device was requested, and why it cannot be used.
  void FellBack(std::string reason) { report_.fallback = std::move(reason); }

  // Returns ONNX Runtime's session, which may be used only while the exit gate is held.
  OrtSession* raw() const noexcept { return session_.get(); }

  // Ends the profile that `setup.profile` began, and reads it.
  Status ReadPlacement(std::vector<NodePlacement>& nodes);

 private:
  explicit Session(const OrtLibrary& library);

  const OrtApi& api_;
  ExitGate& gate_;
  // Declared before the session, which may write a profile when it ends.
  ProfileFolder profile_;
  OrtSessionPtr session_;
  // Whether the provider records the graph of each run whose handle does not forbid it.
  bool graphs_ = false;
  OrtMemoryInfoPtr cpu_;
  Signature signature_;
  DeviceReport report_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace millrace
