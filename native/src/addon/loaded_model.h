// A model on its device, with the batcher in front of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "batching/batcher.h"
#include "batching/probe.h"
#include "batching/shape_plan.h"
#include "batching/share.h"
#include "batching/staged.h"
#include "batching/warmup.h"
#include "codec/pixel_input.h"
#include "ort/model_files.h"
#include "ort/session.h"

namespace millrace {

enum class BatchingMode : uint8_t { kAuto, kDeclared, kOff };

// A measured cost, and the length of each axis it is of.
struct KnownCost {
  CostModel::Point point;
  std::map<std::string, int64_t> lengths;
};

struct LoadRequest {
  // Equal keys mean equal bytes and equal options.
  std::string key;
  std::string path;
  std::string bytes;
  // Of ModelFacts: files that are others by now are not loaded.
  std::string digest;
  // Where copies of external data are made; empty: where temporary files are.
  std::string copy_folder;
  DeviceOptions device;
  // Of TensorRT's engines; empty: none are kept.
  std::string cache_folder;
  BatchingMode batching = BatchingMode::kAuto;
  int64_t max_rows = 1;
  PolicyKind policy = PolicyKind::kExcess;
  Nanos max_delay = 0;
  uint32_t max_queue = 1024;
  std::vector<uint32_t> max_queue_by_priority;
  // 0: as many as a measurement finds useful, leaving a core to the JavaScript thread.
  uint32_t instances = 0;
  // 0: one, unless a measurement finds one worker with all the threads as good.
  int intra_op_threads = 0;
  Nanos spin = 0;
  Nanos run_limit = 0;
  // Below 0: the measured cost of handing a request over.
  Nanos inline_limit = 0;
  double weight = 1;
  Nanos warmup = 0;
  // What an earlier process has measured.
  std::vector<KnownCost> costs;
  // Inputs that requests bring as pixels.
  std::vector<PixelForm> pixels;
  std::vector<AxisSpec> axes;
  // See ShapePlan.
  std::vector<int64_t> row_sizes;
  int64_t max_elements = INT64_MAX;
};

// An executor and its batcher. Shared by every thread that loaded the same key; the last one to let go
// retires it.
class LoadedModel {
 public:
  // Most inputs and most outputs a model may have: their shapes must fit the mailbox.
  static constexpr size_t kMaxTensors = 256;

  // What models of one process share.
  struct Surroundings {
    const OrtLibrary& library;
    // What divides the time of a device, by its name in the report; it outlives the model.
    std::function<DeviceShare&(const std::string& device)> share;
    // Cores for workers.
    uint32_t cores = 1;
  };

  static Status Load(const Surroundings& surroundings, const LoadRequest& request,
                     std::shared_ptr<LoadedModel>& model);

  const Signature& signature() const noexcept { return executor_->signature(); }
  // What requests bring: the model's own but for inputs that are mapped.
  const Signature& request_signature() const noexcept { return request_signature_; }
  const Batchability& batchability() const noexcept { return batchability_; }
  // Whether requests share runs by now.
  bool batched() const noexcept { return batcher_->batched(); }
  const ShapePlan& shapes() const noexcept { return shapes_; }
  // Outputs that stand in for maps from class to probability.
  const std::vector<ZipMap>& zip_maps() const noexcept { return zip_maps_; }
  const DeviceReport& report() const noexcept { return executor_->report(); }
  // False once the device is lost.
  bool healthy() const noexcept { return executor_->healthy(); }
  Batcher& batcher() noexcept { return *batcher_; }
  // Memory that the device can read by itself, or null where there is none.
  StagedExecutor* device() noexcept { return executor_->staged(); }
  std::unique_ptr<RunHandle> NewHandle() { return executor_->NewHandle(); }
  // ONNX Runtime's threads in each run.
  int intra_op_threads() const noexcept { return intra_op_threads_; }

 private:
  LoadedModel() = default;
  Status Choose(const LoadRequest& request, const Signature& signature, Executor& trial,
                ShapeChoice& choice);
  Status CheckDeclared(const Signature& signature, Executor& trial) const;
  Status DecideBatching(const LoadRequest& request, const Signature& signature, Executor& trial);
  Status PlanShapes(const LoadRequest& request, const Signature& signature, Executor& trial);
  std::vector<DeviceShape> DeviceShapesFor(const LoadRequest& request,
                                           const Signature& signature) const;
  Status MapInputs(const LoadRequest& request);
  Status ChooseSplit(const Surroundings& surroundings, const LoadRequest& request,
                     SessionOptions session, const WarmupOptions& warmup, uint32_t& workers);
  void WarmUp(const LoadRequest& request, const WarmupOptions& warmup);

  SteadyClock clock_;
  std::unique_ptr<LoadedExecutor> executor_;
  int intra_op_threads_ = 1;
  bool chosen_ = false;
  bool data_sized_ = false;
  std::vector<ZipMap> zip_maps_;
  Batchability batchability_;
  ShapePlan shapes_;
  Signature request_signature_;
  InputMaps maps_;
  std::unique_ptr<Batcher> batcher_;  // last, so that its workers end before the executor goes
};

}  // namespace millrace
