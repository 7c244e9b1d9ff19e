// How a kind of device is set up: one file for each, cpu.cc, cuda.cc and tensorrt.cc.
#pragma once

#include <string>
#include <vector>

#include "ort/api.h"
#include "ort/device_shapes.h"
#include "ort/cuda_runtime.h"
#include "ort/device.h"
#include "ort/options.h"

namespace millrace {

// What millrace does around ONNX Runtime on a GPU. Read from the options that have no key of their
// own.
struct DeviceBehaviour {
  // Replay a recorded graph for each device shape, where the model allows it.
  bool graphs = true;
  // Run on a stream of millrace's, so that copies are ordered by events and nothing waits between a
  // batch's copy, run and copy back.
  bool own_stream = true;
  // Batches that can be on their way at once: 2 copies the next one while one runs.
  int slots = 2;
  // Find out on which provider each node ran, from one profiled run at load.
  bool placement = true;
  // Refuse a model of which a node would run on the CPU.
  bool forbid_cpu_nodes = false;
};

// What Append needs to know. `options` are translated: keys of ONNX Runtime, names where there is
// none.
struct ProviderRequest {
  const OrtLibrary& library;
  DeviceSpec device;
  const KeyValues& options;
  // ONNX Runtime's own keys, which win over `options`.
  const KeyValues& raw;
  // Null: the provider's own stream.
  CudaStream stream = nullptr;
  bool graphs = false;
  // TensorRT: shapes to build for, and where TensorRT engines and timings are kept; empty for nowhere.
  Profile profile = {};
  std::string tensorrt_engine_folder = {};
  std::string timing_folder = {};
};

class Provider {
 public:
  virtual ~Provider() = default;

  // The name of the memory that its tensors live in, as ONNX Runtime calls it: `Cuda`. Null: the
  // CPU's, and a session is run without binding.
  virtual const char* memory() const noexcept = 0;

  // The typed options it takes.
  virtual std::vector<OptionRow> options() const = 0;

  // Whether it builds a TensorRT engine for shapes that were declared beforehand. Any other shape costs a
  // build of seconds or minutes, so a model runs in its device shapes and no others.
  virtual bool builds_tensorrt_engines() const noexcept { return false; }

  // Whether `graphs` is on where nobody says.
  virtual bool graphs_by_default() const noexcept { return false; }

  // kFailedPrecondition, naming what is missing and how to get it, where the files of the provider
  // are not there. The device itself is not looked at.
  virtual Status CheckFiles(const OrtLibrary& library) const = 0;

  // Adds the provider to `session`. Not usable: kFailedPrecondition as above.
  virtual Status Append(const ProviderRequest& request, OrtSessionOptions* session) const = 0;
};

// The provider of a kind other than kAuto. Lives for ever.
const Provider& ProviderFor(DeviceKind kind);
const Provider& CpuProvider();
const Provider& CudaProvider();
const Provider& TensorRtProvider();

// Options that every GPU provider takes: those of DeviceBehaviour.
std::vector<OptionRow> BehaviourRows();
DeviceBehaviour ReadBehaviour(const Provider& provider, const KeyValues& options);

// Options of the CUDA provider, which also runs what TensorRT leaves over.
std::vector<OptionRow> CudaRows();

// Appends CUDA with those of `request.options` that are CUDA's, and `overrides`.
Status AppendCuda(const ProviderRequest& request, const KeyValues& overrides,
                  OrtSessionOptions* session);

}  // namespace millrace
