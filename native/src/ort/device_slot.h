// What one batch in flight needs on a GPU: buffers that never move, bindings to them, and events.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "batching/staged.h"
#include "ort/device_context.h"
#include "ort/run_handle.h"

namespace millrace {

// A device shape with its buffers and outputs. It does not change after the load, except that a run may set
// `static_outputs` to false.
struct DeviceShapePlan {
  struct Output {
    ElementType type = ElementType::kUndefined;
    Shape shape;
    size_t bytes = 0;
  };

  int64_t rows = 1;
  std::vector<Shape> inputs;
  std::vector<size_t> input_bytes;
  // The outputs of a run at load.
  std::vector<Output> outputs;
  // Whether the outputs have these shapes in every run, and therefore buffers of their own. Otherwise ONNX Runtime
  // allocates them for each run, in the CPU's memory.
  std::atomic<bool> static_outputs{false};
  // Whether runs replay a recorded graph.
  bool graph = false;
};

// What a slot needs of its session. If `batched`, dimension 0 counts rows, and a batch may have fewer rows than its
// device shape.
struct SlotSession {
  OrtSession* raw = nullptr;
  const Signature* signature = nullptr;
  bool batched = false;
  // Whether inputs are bound anew in each run, because ONNX Runtime copies those that a node on the CPU reads when they
  // are bound. It does not change after the load.
  bool binds_each_run = false;
};

// Holds one batch at a time, which goes through Upload, Launch and Await in that order.
//
// THREADS A worker calls Upload and Await; the device's thread calls Probe, Warm and Launch.
class DeviceSlot {
 public:
  // `number` distinguishes the slots of a session. Graphs are recorded for each slot, since each has its own buffers.
  DeviceSlot(DeviceContext& context, const SlotSession& session, std::deque<DeviceShapePlan>& plans,
             size_t number);
  ~DeviceSlot();

  // Allocates memory for the inputs of the largest device shape, and makes the events.
  Status AllocateInputs();
  // Allocates memory for the outputs and makes the bindings. Must be called after every plan has its outputs.
  Status AllocateOutputs();

  // Fills the inputs of a device shape with zeros or ones and runs it, to learn its outputs.
  Status Probe(size_t shape, int value, std::vector<DeviceShapePlan::Output>& outputs);
  // Runs a whole batch of zeros as Launch and Await do. The first run records the graph.
  Status Warm(size_t shape);
  // Makes the run options anew, after plans[shape].graph has changed.
  Status ResetOptions(size_t shape);

  // Copies the parts, which have `rows` rows together, to the device, or queues the copies. After a failure the parts
  // are not read any more. `batch` distinguishes the batches of a session.
  Status Upload(std::span<const Part> parts, size_t shape, int64_t rows, uint64_t batch) noexcept;
  // Queues the run and the copies back.
  void Launch() noexcept;
  // Records the outcome of Launch. If it is called instead of Launch, the batch does not run. Any thread may call it.
  void Settle(Status status) noexcept;
  // Waits for the run and the copies that Launch queued.
  Status Await(OutputRef& outputs) noexcept;

  // Terminates the run of `batch` between two nodes, if it is in progress, and no other run. Kernels that are already
  // queued still run. Any thread may call it.
  void Terminate(uint64_t batch) noexcept;

 private:
  struct Binding {
    // Puts the outputs into buffers of the slot. Null for device shapes without static outputs.
    OrtIoBindingPtr static_outputs;
    std::unique_ptr<OrtRunHandle> static_run;
    // Lets ONNX Runtime allocate the outputs.
    OrtIoBindingPtr dynamic_outputs;
    std::unique_ptr<OrtRunHandle> dynamic_run;
    // The inputs, which are the same for both bindings, and the static outputs.
    std::vector<OrtValuePtr> inputs;
    std::vector<OrtValuePtr> outputs;
  };

  Status Allocate(size_t bytes, CudaMemoryPtr& memory);
  Status MakeRun(bool synchronous, bool graph, size_t shape, std::unique_ptr<OrtRunHandle>& run);
  Status MakeInputs(size_t shape);
  Status MakeBinding(OrtIoBindingPtr& binding);
  Status BindInputs(size_t shape, OrtIoBinding* target);
  Status BindStaticOutputs(size_t shape);
  Status Fill(size_t shape, int value);
  Status CopyInputs(std::span<const Part> parts, const DeviceShapePlan& plan);
  Status CopyInput(std::span<const Part> parts, size_t input, size_t capacity);
  Status AwaitOutputs() noexcept;
  Status RunBound(OrtIoBinding* binding, OrtRunHandle& run);
  Status FinishStaticOutputs();
  Status RunDynamicOutputs(std::shared_ptr<OutputBlock>& block);
  Status QueueOutputs();
  Status Run();

  DeviceContext& context_;
  const SlotSession& session_;
  std::deque<DeviceShapePlan>& plans_;
  const size_t number_;

  std::vector<CudaMemoryPtr> inputs_;
  std::vector<PinnedBlock> staging_;
  std::vector<CudaMemoryPtr> outputs_;
  CudaEventPtr copied_;
  CudaEventPtr computed_;
  CudaEventPtr done_;
  OrtMemoryInfoPtr cpu_;
  std::vector<Binding> bindings_;

  // The batch that the slot holds.
  size_t shape_ = 0;
  int64_t rows_ = 0;
  std::shared_ptr<OutputBlock> block_;
  bool queued_ = false;

  std::mutex mutex_;
  uint64_t batch_ = 0;                // guarded by mutex_
  OrtRunHandle* running_ = nullptr;   // guarded by mutex_
  std::condition_variable launched_;
  bool is_launched_ = false;  // guarded by mutex_
  Status launch_;             // guarded by mutex_
};

}  // namespace millrace
