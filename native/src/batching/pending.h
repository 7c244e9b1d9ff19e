// Requests that wait for a lane, kept apart by shape and in order of urgency. Not thread-safe: only
// the lane that forms a batch touches it.
#pragma once

#include <vector>

#include "batching/policy.h"
#include "batching/request.h"

namespace millrace {

class Pending {
 public:
  // `batched`: dimension 0 counts rows and does not keep two requests apart.
  explicit Pending(bool batched) : batched_(batched) {}

  void Add(Request* request);

  // The group that would be served next. The times in it cost a walk over the group and are filled
  // in only if `policy` holds batches back.
  QueueView View(const BatchPolicy& policy) const noexcept;

  // Moves requests of that group, most urgent first and `max_rows` rows at most, to `batch`. A first
  // request larger than that goes alone. Requests that were cancelled or whose deadline has passed
  // go to `dropped` instead.
  void Take(int64_t max_rows, Nanos now, std::vector<Request*>& batch,
            std::vector<Request*>& dropped);

  bool empty() const noexcept { return size_ == 0; }
  size_t size() const noexcept { return size_; }

 private:
  // Requests that can share a run: equal shapes but for the rows.
  struct Group {
    std::vector<Shape> shapes;
    // A binary heap, most urgent first.
    std::vector<Request*> heap;
    int64_t rows = 0;
  };

  bool Fits(const Group& group, const Request& request) const noexcept;
  Group& GroupOf(const Request& request);
  // Index of the group whose first request is the most urgent; groups_.size() if none waits.
  size_t Next() const noexcept;

  const bool batched_;
  std::vector<Group> groups_;
  size_t size_ = 0;
};

}  // namespace millrace
