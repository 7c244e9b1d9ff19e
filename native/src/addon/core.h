// What the whole process shares, whichever thread asks: loaded models and counters.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "batching/append_table.h"
#include "batching/batcher.h"
#include "batching/histogram.h"
#include "batching/probe.h"
#include "batching/shape_plan.h"
#include "batching/share.h"
#include "batching/warmup.h"
#include "codec/pixel_input.h"
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
  std::vector<std::byte> bytes;
  BatchingMode batching = BatchingMode::kAuto;
  int64_t max_rows = 1;
  PolicyKind policy = PolicyKind::kExcess;
  Nanos max_delay = 0;
  uint32_t max_queue = 1024;
  // 0: as many as a measurement finds useful, leaving a core to the JavaScript thread.
  uint32_t lanes = 0;
  // 0: one, unless a measurement finds one lane with all the threads as good.
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

// A session and its batcher. Shared by every thread that loaded the same key; the last one to let go
// retires it.
class LoadedModel {
 public:
  // Most inputs and most outputs a model may have: their shapes must fit the mailbox.
  static constexpr size_t kMaxTensors = 256;

  // What models of one process share.
  struct Surroundings {
    const OrtLibrary& library;
    // Divides the device's time; outlives the model.
    DeviceShare& share;
    // Cores for lanes.
    uint32_t cores = 1;
    // What it costs to hand a request to a lane and its answer back.
    Nanos hand_off = 0;
  };

  static Status Load(const Surroundings& surroundings, const LoadRequest& request,
                     std::shared_ptr<LoadedModel>& model);

  const Signature& signature() const noexcept { return session_->signature(); }
  // What requests bring: the model's own but for inputs that are mapped.
  const Signature& request_signature() const noexcept { return request_signature_; }
  const Batchability& batchability() const noexcept { return batchability_; }
  const ShapePlan& shapes() const noexcept { return shapes_; }
  Batcher& batcher() noexcept { return *batcher_; }
  std::unique_ptr<RunHandle> NewHandle() { return session_->NewHandle(); }
  // ONNX Runtime's threads in each run.
  int intra_op_threads() const noexcept { return intra_op_threads_; }

 private:
  LoadedModel() = default;
  Status DecideBatching(const LoadRequest& request);
  Status PlanShapes(const LoadRequest& request);
  Status MapInputs(const LoadRequest& request);
  uint32_t ChooseSplit(const Surroundings& surroundings, const LoadRequest& request,
                       SessionOptions session, const WarmupOptions& warmup);
  void WarmUp(const LoadRequest& request, const WarmupOptions& warmup);

  SteadyClock clock_;
  std::unique_ptr<Session> session_;
  int intra_op_threads_ = 1;
  Batchability batchability_;
  ShapePlan shapes_;
  Signature request_signature_;
  InputMaps maps_;
  std::unique_ptr<Batcher> batcher_;  // last, so that its lanes end before the session goes
};

// Histograms that every thread of the process shares, addressed by number.
class CounterTable {
 public:
  // Most series a process may have: more would be a label with unbounded values.
  static constexpr size_t kMaxSeries = 4096;

  // Finds or makes the series of `key`; kMaxSeries if the table is full.
  size_t Series(const std::string& key, std::span<const double> bounds);
  // Lock-free. Ignores numbers that Series did not return.
  void Observe(size_t series, Nanos duration) noexcept;
  std::vector<std::pair<std::string, Histogram::Snapshot>> Read() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, size_t> numbers_;  // guarded by mutex_
  AppendTable<std::unique_ptr<Histogram>, kMaxSeries> series_;  // appended to under mutex_
};

// One per process and never destroyed, because lanes outlive any one JavaScript environment.
class Core {
 public:
  // `js_threads` will use the engine; lanes get the other cores.
  Core(const OrtLibrary& ort, uint32_t js_threads);

  // Returns the model of that key if some thread holds it, otherwise loads it. Blocks; call it off
  // the JavaScript thread. Two loads of one key at the same time load once.
  Status Load(const LoadRequest& request, std::shared_ptr<LoadedModel>& model);

  // What it costs to hand a request to a lane and its answer back to a JavaScript thread. Measured the
  // first time; `wake_js` is to tell how long it takes to wake an event loop, kNever if it is busy.
  Nanos HandOff(const std::function<Nanos()>& wake_js);

  // Lets go of a model on a thread of its own, since the last reference ends its lanes and frees its
  // weights. `done` is called there.
  static void Retire(std::shared_ptr<LoadedModel> model, std::function<void()> done);

  const OrtLibrary& library;
  CounterTable counters;

 private:
  struct Entry {
    std::mutex loading;
    std::weak_ptr<LoadedModel> model;  // guarded by loading
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  const uint32_t lane_cores_;
  DeviceShare cpu_;
  std::mutex measuring_;
  std::atomic<Nanos> hand_off_{0};  // written under measuring_
};

// Opens the library at `path` on the first call, which also decides how many cores are left to lanes.
// Thread-safe.
Status OpenCore(const std::string& path, uint32_t js_threads, Core*& core);

}  // namespace millrace
