// The loaded models and counters that all threads of the process share.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "addon/inspect.h"
#include "addon/loaded_generator.h"
#include "addon/loaded_model.h"
#include "addon/shared_loads.h"
#include "batching/histogram.h"

namespace millrace {

// Counters and histograms that all threads of the process share, addressed by number. Thread-safe.
class CounterTable {
 public:
  // The most series of a process. More would mean that a label has unbounded values.
  static constexpr size_t kMaxSeries = 4096;

  // Finds or creates the series of `key`. Returns its number, or kMaxSeries if the table is full.
  size_t Series(const std::string& key, std::span<const double> bounds);
  // Records a duration. Lock-free. Ignores numbers that Series has not returned.
  void Observe(size_t series, Nanos duration) noexcept;
  // Adds to a series without bounds. Lock-free. Ignores numbers that Series has not returned.
  void Add(size_t series, int64_t amount) noexcept;
  // Returns all series with their keys.
  std::vector<std::pair<std::string, Histogram::Snapshot>> Read() const;

 private:
  Histogram* Find(size_t series) const noexcept;

  mutable std::mutex mutex_;
  std::map<std::string, size_t> numbers_;           // guarded by mutex_
  std::vector<std::unique_ptr<Histogram>> owned_;   // guarded by mutex_
  std::array<std::atomic<Histogram*>, kMaxSeries> series_{};  // set once, under mutex_
};

// The process has one core, which is never destroyed, because workers outlive a JavaScript environment. Thread-safe.
class Core {
 public:
  // `js_threads` is the number of JavaScript threads that will open an engine; workers of short runs leave them a core
  // each.
  Core(const OrtLibrary& ort, uint32_t js_threads);

  // Returns the model of the request's key if a thread holds it, and otherwise loads it. Blocks, so it must not be
  // called on a JavaScript thread. Two loads of one key at a time load it once.
  Status Load(const LoadRequest& request, std::shared_ptr<LoadedModel>& model);
  // The same for a generative model.
  Status Load(const GeneratorLoadRequest& request, std::shared_ptr<LoadedGenerator>& model);

  // Releases a model of any kind on a new thread, because the last reference ends its threads and frees its weights.
  // Then calls `done` there. If no thread can be started, both happen on the calling thread.
  static void Retire(std::shared_ptr<void> model, std::function<void()> done) noexcept;

  const OrtLibrary& library;
  CounterTable counters;
  ModelInspector inspector;

 private:
  LoadSurroundings Surroundings();
  DeviceShare& ShareOf(const std::string& device);

  SharedLoads<LoadedModel> models_;
  SharedLoads<LoadedGenerator> generators_;
  const CoreBudget cores_;
  std::mutex mutex_;
  // The shares of each device. They are never freed, because models leave them when they end.
  std::map<std::string, std::unique_ptr<DeviceShare>> shares_;  // guarded by mutex_
};

// Opens the library at `path` on the first call, which also decides how many cores workers leave to JavaScript.
// Thread-safe.
Status OpenCore(const std::string& path, uint32_t js_threads, Core*& core);

}  // namespace millrace
