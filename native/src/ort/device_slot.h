// What one batch on its way needs on a GPU: buffers that never move, bindings to them, events.
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

// A device shape with its buffers and outputs. Settled at load, but for `static_outputs`, which a run may take back.
struct DeviceShapePlan {
  struct Output {
    ElementType type = ElementType::kUndefined;
    Shape shape;
    size_t bytes = 0;
  };

  int64_t rows = 1;
  std::vector<Shape> inputs;
  std::vector<size_t> input_bytes;
  // As a warm run gave them.
  std::vector<Output> outputs;
  // The outputs always have these shapes and so have buffers of their own. Otherwise ONNX Runtime
  // allocates them for each run, in the CPU's memory.
  std::atomic<bool> static_outputs{false};
  // Runs replay a recorded graph.
  bool graph = false;
};

// A session as a slot sees it. `batched`: dimension 0 counts rows, so that a batch may have fewer
// than its device shape.
struct SlotSession {
  OrtSession* raw = nullptr;
  const Signature* signature = nullptr;
  bool batched = false;
  // Inputs are bound anew in each run: ONNX Runtime copies those that a node on the CPU reads when they are
  // bound. Settled at load.
  bool binds_each_run = false;
};

// THREADS Upload and Await are a worker's; Probe, Warm and Launch are the device thread's. A batch goes
// through Upload, Launch and Await in that order, one at a time.
class DeviceSlot {
 public:
  // `number` tells the slots of a session apart: graphs are recorded for each, since each has buffers
  // of its own.
  DeviceSlot(DeviceContext& context, const SlotSession& session, std::deque<DeviceShapePlan>& plans,
             size_t number);
  ~DeviceSlot();

  // Memory for the inputs of the largest device shape, and events.
  Status AllocateInputs();
  // The same for outputs, and the bindings. After every plan has its outputs.
  Status AllocateOutputs();

  // Fills the inputs of a device shape with zeros or ones and runs it, to learn its outputs.
  Status Probe(size_t shape, int value, std::vector<DeviceShapePlan::Output>& outputs);
  // A whole batch on what the buffers hold, as Launch and Await do it. The first records the graph.
  Status Warm(size_t shape);
  // Makes the run options anew, after plans[shape].graph has changed.
  Status ResetOptions(size_t shape);

  // Copies the parts, `rows` rows together, to the device, or queues that. On failure nothing of them
  // is in use any more. `batch` tells the batches of a session apart.
  Status Upload(std::span<const Part> parts, size_t shape, int64_t rows, uint64_t batch) noexcept;
  // Queues the run and the copies back.
  void Launch() noexcept;
  // What became of the launch. In place of Launch: the batch will not run. Any thread.
  void Settle(Status status) noexcept;
  // Waits for what Launch queued.
  Status Await(OutputRef& outputs) noexcept;

  // Ends the run of `batch` between two nodes if it is in progress, and no other. What is queued already
  // runs on. Any thread.
  void Terminate(uint64_t batch) noexcept;

 private:
  struct Binding {
    // Outputs in buffers of the slot; only for device shapes with static outputs.
    OrtIoBindingPtr static_outputs;
    std::unique_ptr<OrtRunHandle> static_run;
    // Outputs where ONNX Runtime puts them.
    OrtIoBindingPtr dynamic_outputs;
    std::unique_ptr<OrtRunHandle> dynamic_run;
    // The inputs, which are the same for both, and the static outputs.
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

  // The batch it holds.
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
