// What a model's runs add up to, by their size and as its requests have seen them.
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

// How long the parts of a run took: laying out the inputs, the model itself, handing out the outputs.
struct RunParts {
  Nanos input = 0;
  Nanos compute = 0;
  Nanos output = 0;
};

// Sums that only grow. Any number of threads add, any number read; a reader may see a run in one sum and
// not yet in another.
class Tally {
 public:
  // Runs of more rows count as runs of so many.
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
        sizes_(std::make_unique<Cell[]>(static_cast<size_t>(most_) + 1)) {}

  // A run of `rows` rows, in which `requests` requests were answered, ended at `now`.
  void Observe(int64_t rows, uint64_t requests, const RunParts& parts, Nanos now) noexcept {
    sizes_[static_cast<size_t>(std::clamp<int64_t>(rows, 0, most_))].Add(1, parts);
    requests_.Add(requests, parts);
    last_.store(now, std::memory_order_relaxed);
  }

  // By size, smallest first; sizes that have not been run are left out.
  std::vector<Size> Sizes() const {
    std::vector<Size> sizes;
    for (int64_t rows = 0; rows <= most_; ++rows) {
      const Sums runs = sizes_[static_cast<size_t>(rows)].Read();
      if (runs.count != 0) sizes.push_back({rows, runs});
    }
    return sizes;
  }
  // Answered requests; each counts the whole of its run.
  Sums Requests() const noexcept { return requests_.Read(); }
  // When the last run ended; 0 before the first.
  Nanos last() const noexcept { return last_.load(std::memory_order_relaxed); }

 private:
  class Cell {
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
  std::unique_ptr<Cell[]> sizes_;
  Cell requests_;
  std::atomic<Nanos> last_{0};
};

}  // namespace millrace
