// Requests that wait for a worker, kept apart by shape and in order of urgency. Not thread-safe: only
// the worker that forms a batch touches it.
#pragma once

#include <optional>
#include <vector>

#include "batching/costs.h"
#include "batching/policy.h"
#include "batching/request.h"
#include "batching/shape_plan.h"

namespace millrace {

struct PendingOptions {
  // Dimension 0 counts rows and does not keep two requests apart.
  bool batched = false;
  // A request without a deadline is ordered as if it had to be answered this long after it came, so
  // that requests with deadlines cannot push it back for ever.
  Nanos patience = 1'000'000'000;
  // A request rises by one level for each such time it has waited.
  Nanos aging = 1'000'000'000;
  // What requests are padded to. May be null; outlives the queue.
  const ShapePlan* shapes = nullptr;

  // The time a request is ordered by.
  Nanos DueOf(const Request& request) const noexcept {
    return request.deadline != kNever ? request.deadline : request.submitted + patience;
  }
};

// ORDER Level by level; within a level by deadline, earliest first; then first come, first served.
class Pending {
 public:
  explicit Pending(const PendingOptions& options)
      : options_(options), plan_(ShapePlan::OrNone(options.shapes)), batched_(options.batched) {}

  // Throws std::bad_alloc, and has not queued the request then.
  void Add(Request* request);

  // Lifts requests that have waited long. Call it now and then; it does something four times per
  // aging interval at most.
  void Age(Nanos now);

  // The group that would be served next. The times in it cost a walk over the group and are filled
  // in only if `policy` holds batches back.
  QueueView View(const BatchPolicy& policy) const noexcept;

  // What to do now, and with which group: the most urgent of those that `policy` would run, so that a
  // group that is held back holds up no other. `window` is what the view of each has in common.
  struct Choice {
    Decision decision;
    size_t group = 0;
  };
  Choice Choose(const QueueView& window, Nanos now, const BatchPolicy& policy,
                const Costs& costs) const noexcept;

  // Moves the requests of a group that should run together to `batch`, and those that should not
  // run at all to `dropped`.
  //
  // SIZE At most `max_rows` rows and the elements of the plan, fewer where `costs` say that fewer are
  // clearly cheaper per row, but for a trial now and then, which may prove them wrong. A first request
  // larger than that goes alone. Where the group leaves room, requests of others are padded up to share
  // the run, if that costs less than running them apart.
  //
  // DROPPED Cancelled requests, requests past their deadline, and requests that cannot make it: while
  // a full batch waits, the ones too late for a full batch, because shrinking batches for them would
  // make everyone behind them late too; otherwise the ones too late even alone. Where less than a
  // full batch waits, the batch shrinks until its most urgent request makes it.
  // MEMORY Throws nothing if both vectors have room for all that waits.
  void Take(size_t group, int64_t max_rows, Nanos now, const Costs& costs,
            std::vector<Request*>& batch, std::vector<Request*>& dropped);
  // The same of the most urgent group.
  void Take(int64_t max_rows, Nanos now, const Costs& costs, std::vector<Request*>& batch,
            std::vector<Request*>& dropped) {
    Take(Next(), max_rows, now, costs, batch, dropped);
  }

  // From now on each request runs alone.
  void StopBatching() noexcept { batched_ = false; }
  bool batched() const noexcept { return batched_; }

  bool empty() const noexcept { return size_ == 0; }
  size_t size() const noexcept { return size_; }

 private:
  // Requests that can share a run: equal shapes but for the rows, once they are padded.
  struct Group {
    std::vector<Shape> shapes;
    uint32_t bucket = 0;
    // A binary heap, most urgent first.
    std::vector<Request*> heap;
    int64_t rows = 0;
  };
  // A batch while requests are added to it.
  struct Draft {
    size_t bucket = 0;
    int64_t rows = 0;
    Nanos earliest_deadline = kNever;
  };

  static bool LessUrgent(const Request* a, const Request* b) noexcept;
  static bool IsOver(const Request& request, Nanos now) noexcept {
    return request.cancelled.load(std::memory_order_relaxed) || request.deadline <= now;
  }
  Request* Pop(Group& group);

  // Whether the shapes of an input are equal, but for the rows and what is padded.
  bool Alike(size_t input, const Shape& a, const Shape& b) const noexcept;
  bool Fits(const Group& group, const Request& request) const noexcept;
  Group& GroupOf(const Request& request);
  // Index of the group whose first request is the most urgent; groups_.size() if none waits.
  size_t Next() const noexcept;
  QueueView ViewOf(const Group& group, const BatchPolicy& policy) const noexcept;

  // Most rows of a run of the group's requests in `bucket`.
  int64_t RowLimit(const Group& group, size_t bucket, int64_t max_rows) const noexcept;
  Nanos CostOf(const Costs& costs, size_t bucket, int64_t rows) const noexcept;
  int64_t BestRows(const CostModel& cost, int64_t available) const noexcept;
  std::optional<int64_t> RowsInTime(const Request& head, int64_t rows, Nanos now,
                                    const CostModel& cost) const noexcept;
  // Adds requests of other groups that should be padded up to share the run.
  void PadUp(const Group& own, Draft draft, int64_t max_rows, Nanos now, const Costs& costs,
             std::vector<Request*>& batch, std::vector<Request*>& dropped);

  const PendingOptions options_;
  const ShapePlan& plan_;
  bool batched_;
  Nanos next_aging_ = 0;
  std::vector<Group> groups_;
  size_t size_ = 0;
  // Batches that costs or deadlines have made smaller.
  uint32_t trimmed_ = 0;
};

}  // namespace millrace
