// The execution providers, one for each kind of device: cpu.cc, cuda.cc and tensorrt.cc.
#pragma once

#include <string>
#include <vector>

#include "ort/api.h"
#include "ort/device_shapes.h"
#include "ort/cuda_runtime.h"
#include "ort/device.h"
#include "ort/options.h"

namespace millrace {

// What millrace itself does on a GPU. It is read from the options without a key of ONNX Runtime.
struct DeviceBehaviour {
  // Whether a recorded graph is replayed for each device shape, if the model allows it.
  bool graphs = true;
  // Whether runs use a stream of millrace's own. Events then order the copies, and no thread waits between the copy in,
  // the run and the copy out of a batch.
  bool own_stream = true;
  // The number of batches in flight. With 2, one is copied while another runs.
  int slots = 2;
  // Whether one run at load is profiled, to report which provider runs each node.
  bool placement = true;
  // Whether a model is refused if one of its nodes would run on the CPU.
  bool forbid_cpu_nodes = false;
};

// The arguments of Append. `options` are translated: they have ONNX Runtime's keys or, if there is none, their names.
struct ProviderRequest {
  const OrtLibrary& library;
  DeviceSpec device;
  const KeyValues& options;
  // ONNX Runtime's own keys, which win over `options`.
  const KeyValues& raw;
  // If null, the provider uses its own stream.
  CudaStream stream = nullptr;
  bool graphs = false;
  // For TensorRT: the shapes to build for, and the folders of TensorRT engines and timings. If a folder is empty, they
  // are not kept.
  Profile profile = {};
  std::string tensorrt_engine_folder = {};
  std::string timing_folder = {};
};

class Provider {
 public:
  virtual ~Provider() = default;

  // Returns ONNX Runtime's name of the memory of its tensors, such as `Cuda`, or null if that is the CPU's memory and
  // sessions run without binding.
  virtual const char* memory() const noexcept = 0;

  // Returns the typed options that it takes.
  virtual std::vector<OptionRow> options() const = 0;

  // Returns whether it builds a TensorRT engine for declared shapes. For any other shape it would build again, for
  // seconds or minutes, so that a model runs only in its device shapes.
  virtual bool builds_tensorrt_engines() const noexcept { return false; }

  // Returns the default of `graphs`.
  virtual bool graphs_by_default() const noexcept { return false; }

  // Returns kFailedPrecondition, with what is missing and how to get it, if files of the provider are missing. It does
  // not check the device itself.
  virtual Status CheckFiles(const OrtLibrary& library) const = 0;

  // Adds the provider to `session`. Returns kFailedPrecondition if the provider cannot be used.
  virtual Status Append(const ProviderRequest& request, OrtSessionOptions* session) const = 0;
};

// Returns the provider of a kind other than kAuto. It is never destroyed.
const Provider& ProviderFor(DeviceKind kind);
const Provider& CpuProvider();
const Provider& CudaProvider();
const Provider& TensorRtProvider();

// Returns the options that every GPU provider takes, which are those of DeviceBehaviour.
std::vector<OptionRow> BehaviourRows();
DeviceBehaviour ReadBehaviour(const Provider& provider, const KeyValues& options);

// Returns the options of the CUDA provider, which also runs the nodes that TensorRT cannot run.
std::vector<OptionRow> CudaRows();

// Adds the CUDA provider with its part of `request.options`, and with `overrides`.
Status AppendCuda(const ProviderRequest& request, const KeyValues& overrides,
                  OrtSessionOptions* session);

}  // namespace millrace
