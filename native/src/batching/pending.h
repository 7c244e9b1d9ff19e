// Requests that wait for a lane, kept apart by shape and in order of urgency. Not thread-safe: only
// the lane that forms a batch touches it.
#pragma once

#include <optional>
#include <vector>

#include "batching/cost_model.h"
#include "batching/policy.h"
#include "batching/request.h"

namespace millrace {

struct PendingOptions {
  // Dimension 0 counts rows and does not keep two requests apart.
  bool batched = false;
  // A request without a deadline is ordered as if it had to be answered this long after it came, so
  // that requests with deadlines cannot push it back for ever.
  Nanos patience = 1'000'000'000;
  // A request rises by one level for each such time it has waited.
  Nanos aging = 1'000'000'000;
};

// ORDER Level by level; within a level by deadline, earliest first; then first come, first served.
class Pending {
 public:
  explicit Pending(const PendingOptions& options) : options_(options) {}

  void Add(Request* request);

  // Lifts requests that have waited long. Call it now and then; it does something four times per
  // aging interval at most.
  void Age(Nanos now);

  // The group that would be served next. The times in it cost a walk over the group and are filled
  // in only if `policy` holds batches back.
  QueueView View(const BatchPolicy& policy) const noexcept;

  // Moves the requests of that group that should run together to `batch`, and those that should not
  // run at all to `dropped`.
  //
  // SIZE At most `max_rows` rows, fewer where `cost` says that fewer are clearly cheaper per row. A
  // first request larger than that goes alone.
  //
  // DROPPED Cancelled requests, requests past their deadline, and requests that cannot make it: while
  // a full batch waits, the ones too late for a full batch, because shrinking batches for them would
  // make everyone behind them late too; otherwise the ones too late even alone. Where less than a
  // full batch waits, the batch shrinks until its most urgent request makes it.
  void Take(int64_t max_rows, Nanos now, const CostModel& cost, std::vector<Request*>& batch,
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

  static bool LessUrgent(const Request* a, const Request* b) noexcept;
  static std::optional<int64_t> RowsInTime(const Request& head, int64_t rows, Nanos now,
                                           const CostModel& cost);
  Request* Pop(Group& group);

  bool Fits(const Group& group, const Request& request) const noexcept;
  Group& GroupOf(const Request& request);
  // Index of the group whose first request is the most urgent; groups_.size() if none waits.
  size_t Next() const noexcept;

  const PendingOptions options_;
  Nanos next_aging_ = 0;
  std::vector<Group> groups_;
  size_t size_ = 0;
};

}  // namespace millrace
