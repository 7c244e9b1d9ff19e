// A model on its device, and its batcher.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/load_surroundings.h"
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

// A measured cost, and the lengths of its bucket by axis.
struct KnownCost {
  CostModel::Point point;
  std::map<std::string, int64_t> lengths;
};

// The options of a load; see NativeLoadOptions in native/binding.ts.
struct LoadRequest {
  // Loads with equal keys have equal bytes and options.
  std::string key;
  std::string path;
  std::string bytes;
  // The digest of ModelFacts. Files with another digest have changed meanwhile, and are not loaded.
  std::string digest;
  // The folder for copies of external data. If empty it is the system's temporary folder.
  std::string copy_folder;
  DeviceOptions device;
  // The folder of TensorRT engines. If empty they are not kept.
  std::string cache_folder;
  BatchingMode batching = BatchingMode::kAuto;
  int64_t max_rows = 1;
  PolicyKind policy = PolicyKind::kExcess;
  Nanos max_delay = 0;
  uint32_t max_queue = 1024;
  std::vector<uint32_t> max_queue_by_priority;
  // 0 means as many as a measurement finds useful; see ChooseWorkers.
  uint32_t instances = 0;
  // 0 means one, unless a measurement shows that one worker with all the threads is as good.
  int intra_op_threads = 0;
  Nanos spin = 0;
  Nanos run_limit = 0;
  // Runs that are expected to be shorter may be inline. 0 means that none is.
  Nanos inline_limit = 0;
  double weight = 1;
  Nanos warmup = 0;
  // The costs that an earlier process has measured.
  std::vector<KnownCost> costs;
  // Sizes for dimensions that the file leaves open, by their names.
  std::vector<std::pair<std::string, int64_t>> dimensions;
  // The inputs for which requests have pixels.
  std::vector<PixelForm> pixels;
  std::vector<AxisSpec> axes;
  // See ShapePlan::row_sizes and ShapePlan::max_elements.
  std::vector<int64_t> row_sizes;
  int64_t max_elements = INT64_MAX;
};

// An executor and its batcher. All threads that loaded the same key share it; the last one to release it retires it.
// Thread-safe after Load.
class LoadedModel {
 public:
  // The most inputs, and the most outputs, of a model, whose shapes must fit into the mailbox.
  static constexpr size_t kMaxTensors = 256;

  static Status Load(const LoadSurroundings& surroundings, const LoadRequest& request,
                     std::shared_ptr<LoadedModel>& model);

  const Signature& signature() const noexcept { return executor_->signature(); }
  // The signature of requests, which differs from the model's in inputs that are mapped.
  const Signature& request_signature() const noexcept { return request_signature_; }
  // The other form that requests may have for an input, which is pixels; it has no name where there is none.
  const std::vector<TensorSpec>& pixel_specs() const noexcept { return pixel_specs_; }
  const Batchability& batchability() const noexcept { return batchability_; }
  // Returns whether requests are batched at the moment.
  bool batched() const noexcept { return batcher_->batched(); }
  const ShapePlan& shapes() const noexcept { return shapes_; }
  // The outputs that replace maps from class to probability.
  const std::vector<ZipMap>& zip_maps() const noexcept { return zip_maps_; }
  const DeviceReport& report() const noexcept { return executor_->report(); }
  // Returns false once the device is lost.
  bool healthy() const noexcept { return executor_->healthy(); }
  Batcher& batcher() noexcept { return *batcher_; }
  // Returns the executor that allocates memory which the device reads directly, or null if there is none.
  StagedExecutor* device() noexcept { return executor_->staged(); }
  std::unique_ptr<RunHandle> NewHandle() { return executor_->NewHandle(); }
  // ONNX Runtime's intra-op threads in each run.
  int intra_op_threads() const noexcept { return intra_op_threads_; }

 private:
  LoadedModel() = default;
  Status Choose(const LoadRequest& request, const Signature& signature, Executor& trial,
                ShapeChoice& choice);
  Status CheckDeclared(const Signature& signature, Executor& trial) const;
  Status DecideBatching(const LoadRequest& request, const Signature& signature, Executor& trial);
  Status PlanShapes(const LoadRequest& request, const Signature& signature, Executor& trial);
  std::vector<DeviceShape> DeviceShapesFor(const Signature& signature) const;
  Status MapInputs(const LoadRequest& request);
  Status ChooseSplit(const LoadSurroundings& surroundings, const LoadRequest& request,
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
  std::vector<TensorSpec> pixel_specs_;
  InputMaps maps_;
  std::unique_ptr<Batcher> batcher_;  // last, so that its workers end before the executor is freed
};

}  // namespace millrace
