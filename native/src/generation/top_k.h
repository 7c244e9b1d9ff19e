// The largest of many scores.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

struct Scored {
  float score = 0;
  int64_t index = 0;
};

// Among equal scores, the smaller index is better.
inline bool Better(const Scored& a, const Scored& b) noexcept {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

// Keeps the `most` best of the scores that are added. Scores that are not numbers are ignored.
class TopK {
 public:
  // Starts again. Throws std::bad_alloc.
  void Reset(size_t most) {
    most_ = most;
    best_.clear();
    best_.reserve(most);
  }

  // Adds `scores`, to each of which `offset` is added, and whose indices start at `first`. The indices of later calls
  // must be larger.
  void Add(std::span<const float> scores, float offset, int64_t first) noexcept {
    for (size_t i = 0; i < scores.size(); ++i) {
      const float score = scores[i] + offset;
      if (best_.size() == most_) {
        // The front is the worst. An equal one came first.
        if (!(score > best_.front().score)) continue;
        std::ranges::pop_heap(best_, Better);
        best_.pop_back();
      } else if (score != score) {
        continue;
      }
      best_.push_back({score, first + static_cast<int64_t>(i)});
      std::ranges::push_heap(best_, Better);
    }
  }

  // Sorts what has been kept, best first. Nothing can be added afterwards.
  std::span<const Scored> Sorted() noexcept {
    std::ranges::sort(best_, Better);
    return best_;
  }

  // Returns the worst score that has been kept. There must be one.
  float worst() const noexcept { return best_.front().score; }

 private:
  size_t most_ = 0;
  // A heap whose front is the worst.
  std::vector<Scored> best_;
};

}  // namespace millrace
