// What the whole process shares, whichever thread asks: loaded models and counters.
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
#include "addon/loaded_model.h"
#include "batching/histogram.h"

namespace millrace {

// Histograms that every thread of the process shares, addressed by number.
class CounterTable {
 public:
  // Most series a process may have: more would be a label with unbounded values.
  static constexpr size_t kMaxSeries = 4096;

  // Finds or makes the series of `key`; kMaxSeries if the table is full.
  size_t Series(const std::string& key, std::span<const double> bounds);
  // Lock-free. Ignores numbers that Series did not return.
  void Observe(size_t series, Nanos duration) noexcept;
  // Lock-free: adds to the count of a series that has no bounds. Ignores other numbers.
  void Add(size_t series, int64_t amount) noexcept;
  std::vector<std::pair<std::string, Histogram::Snapshot>> Read() const;

 private:
  Histogram* Find(size_t series) const noexcept;

  mutable std::mutex mutex_;
  std::map<std::string, size_t> numbers_;           // guarded by mutex_
  std::vector<std::unique_ptr<Histogram>> owned_;   // guarded by mutex_
  std::array<std::atomic<Histogram*>, kMaxSeries> series_{};  // set once, under mutex_
};

// One per process and never destroyed, because workers outlive any one JavaScript environment.
class Core {
 public:
  // `js_threads` will use the engine; workers get the other cores.
  Core(const OrtLibrary& ort, uint32_t js_threads);

  // Returns the model of that key if some thread holds it, otherwise loads it. Blocks; call it off
  // the JavaScript thread. Two loads of one key at the same time load once.
  Status Load(const LoadRequest& request, std::shared_ptr<LoadedModel>& model);

  // Lets go of a model on a thread of its own, since the last reference ends its workers and frees its
  // weights. `done` is called there. Where the system starts no more threads it happens on this one.
  static void Retire(std::shared_ptr<LoadedModel> model, std::function<void()> done) noexcept;

  const OrtLibrary& library;
  CounterTable counters;
  ModelInspector inspector;

 private:
  struct Entry {
    std::mutex loading;
    std::weak_ptr<LoadedModel> model;  // guarded by loading
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  const uint32_t worker_cores_;
  // The time of each device. Never freed: models let go of it when they end.
  DeviceShare& ShareOf(const std::string& device);
  std::map<std::string, std::unique_ptr<DeviceShare>> shares_;  // guarded by mutex_
};

// Opens the library at `path` on the first call, which also decides how many cores are left to workers.
// Thread-safe.
Status OpenCore(const std::string& path, uint32_t js_threads, Core*& core);

}  // namespace millrace
