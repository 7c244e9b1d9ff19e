// A model as ONNX Runtime runs it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ort/loaded.h"
#include "ort/placement.h"
#include "ort/provider.h"
#include "ort/run_handle.h"

namespace millrace {

// Which device, and how. Everything has a default.
struct DeviceOptions {
  std::string device = "cpu";
  // Typed options by the names of native/device-types.ts, as text.
  KeyValues options;
  // ONNX Runtime's own keys for its provider.
  KeyValues provider_options;

  // Tests put their own here; null: found by `device`, and in the process.
  const Provider* provider = nullptr;
  const CudaRuntime* cuda = nullptr;
};

// How a model is run, as far as that depends on what it takes and gives.
struct ShapeChoice {
  // Dimension 0 of every input and output counts rows: a device shape may then take fewer than it has.
  bool batched = false;
  // Shapes that a GPU is warmed for and keeps buffers for; every input has one. May be empty.
  std::vector<DeviceShape> shapes;
};

// Makes the choice. `trial` runs the model on any shape for the time of the call. Called during the
// load, on one of its threads; more than once where there are several devices to try.
using ShapeChooser =
    std::function<Status(const Signature& signature, Executor& trial, ShapeChoice& choice)>;

struct SessionOptions {
  // Exactly one of the two, of a ModelSnapshot: neither changes while sessions are made of it. External data
  // are beside `path`.
  std::string path;
  std::string_view bytes;
  // Threads inside one run, at least 1.
  int intra_op_threads = 1;

  DeviceOptions device;
  // Null: rows are not counted and there are no device shapes.
  ShapeChooser choose;
  // Of ModelFacts, and the folder of TensorRT's engines; without them none are kept.
  std::string digest;
  std::string cache_folder;
};

// Loads a model onto the device it asks for: the door of this folder.
//
// Reads, optimises, and warms every device shape: seconds for a large model, minutes where TensorRT builds
// a TensorRT engine. kInvalidArgument: the file is not a model this library can run, or an option is wrong;
// kFailedPrecondition: the device cannot be used, and what is missing; kResourceExhausted: memory.
Status LoadExecutor(const OrtLibrary& library, const SessionOptions& options,
                    std::unique_ptr<LoadedExecutor>& executor);

// What a session needs to be made besides the model.
struct SessionSetup {
  const Provider* provider = nullptr;
  // Null: the CPU.
  const ProviderRequest* request = nullptr;
  bool forbid_cpu_nodes = false;
  // Whether a profile is written until ReadPlacement. If that is impossible, only ReadPlacement fails.
  bool profile = false;
  // Leave the graph as it is: quicker, for looking only at the signature.
  bool unoptimised = false;
};

// One ONNX Runtime session, shared by all workers of a model: its weights exist once. Run takes inputs
// of any shape in the CPU's memory, whatever the device.
class Session final : public LoadedExecutor {
 public:
  // The CPU's session of a model. kInvalidArgument if the file is not a model this library can run,
  // kUnimplemented if an input or output has no JavaScript form.
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

  // Notes that another device was asked for, and why it was not to be had.
  void FellBack(std::string reason) { report_.fallback = std::move(reason); }

  // For the device's own path. The gate must be held where it is used.
  OrtSession* raw() const noexcept { return session_.get(); }

  // Ends the profile that `setup.profile` began and reads it.
  Status ReadPlacement(std::vector<NodePlacement>& nodes);

 private:
  explicit Session(const OrtLibrary& library);

  const OrtApi& api_;
  ExitGate& gate_;
  // Before the session, which may write a profile when it ends.
  ProfileFolder profile_;
  OrtSessionPtr session_;
  // Runs would be recorded if their handle did not say otherwise.
  bool graphs_ = false;
  OrtMemoryInfoPtr cpu_;
  Signature signature_;
  DeviceReport report_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace millrace
