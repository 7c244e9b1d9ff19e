// Sums over the runs of a model, by number of rows and over its completed requests.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "batching/clock.h"

namespace millrace {

// How long the parts of a run took: gathering the inputs, running the model, and scattering the outputs.
struct RunParts {
  Nanos input = 0;
  Nanos compute = 0;
  Nanos output = 0;
};

// Sums that only grow. Any number of threads may add and read. A reader may see a run in one sum and not yet in another.
// All atomics are sums, and therefore relaxed.
class Tally {
 public:
  // Runs of more rows count as runs of this many.
  static constexpr int64_t kMostRows = 4096;

  struct Sums {
    uint64_t count = 0;
    RunParts parts;
  };
  struct Size {
    int64_t rows = 0;
    Sums runs;
  };

  explicit Tally(int64_t max_rows)
      : most_(std::clamp<int64_t>(max_rows, 1, kMostRows)),
        sizes_(std::make_unique<AtomicSums[]>(static_cast<size_t>(most_) + 1)) {}

  // Adds a run of `rows` rows that completed `requests` requests and ended at `now`.
  void Observe(int64_t rows, uint64_t requests, const RunParts& parts, Nanos now) noexcept {
    sizes_[static_cast<size_t>(std::clamp<int64_t>(rows, 0, most_))].Add(1, parts);
    requests_.Add(requests, parts);
    last_.store(now, std::memory_order_relaxed);
  }

  // Returns the sums of each number of rows that has been run, smallest first.
  std::vector<Size> Sizes() const {
    std::vector<Size> sizes;
    for (int64_t rows = 0; rows <= most_; ++rows) {
      const Sums runs = sizes_[static_cast<size_t>(rows)].Read();
      if (runs.count != 0) sizes.push_back({rows, runs});
    }
    return sizes;
  }
  // Returns the sums over completed requests, each of which adds the whole time of its run.
  Sums Requests() const noexcept { return requests_.Read(); }
  // Returns the end of the last run, or 0 before the first.
  Nanos last() const noexcept { return last_.load(std::memory_order_relaxed); }

 private:
  class AtomicSums {
   public:
    void Add(uint64_t count, const RunParts& parts) noexcept {
      const auto times = static_cast<Nanos>(count);
      input_.fetch_add(parts.input * times, std::memory_order_relaxed);
      compute_.fetch_add(parts.compute * times, std::memory_order_relaxed);
      output_.fetch_add(parts.output * times, std::memory_order_relaxed);
      count_.fetch_add(count, std::memory_order_relaxed);
    }
    Sums Read() const noexcept {
      return {count_.load(std::memory_order_relaxed),
              {input_.load(std::memory_order_relaxed), compute_.load(std::memory_order_relaxed),
               output_.load(std::memory_order_relaxed)}};
    }

   private:
    std::atomic<uint64_t> count_{0};
    std::atomic<Nanos> input_{0};
    std::atomic<Nanos> compute_{0};
    std::atomic<Nanos> output_{0};
  };

  const int64_t most_;
  std::unique_ptr<AtomicSums[]> sizes_;
  AtomicSums requests_;
  std::atomic<Nanos> last_{0};
};

}  // namespace millrace
