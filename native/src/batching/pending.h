// The requests that wait for a worker, grouped by shape and ordered by urgency. Not thread-safe: only the worker that
// forms a batch uses it.
#pragma once

#include <optional>
#include <vector>

#include "batching/costs.h"
#include "batching/policy.h"
#include "batching/request.h"
#include "batching/shape_plan.h"

namespace millrace {

struct PendingOptions {
  // Whether dimension 0 counts rows, so that requests of different numbers of rows can share a batch.
  bool batched = false;
  // A request without a deadline is ordered as if this long after its submission were its deadline, so that requests
  // with deadlines cannot overtake it for ever.
  Nanos patience = 1'000'000'000;
  // A request rises by one priority level each time it has waited this long.
  Nanos aging = 1'000'000'000;
  // The shapes that requests are padded to. May be null; must outlive the queue.
  const ShapePlan* shapes = nullptr;

  // Returns the time by which a request is ordered.
  Nanos DueOf(const Request& request) const noexcept {
    return request.deadline != kNever ? request.deadline : request.submitted + patience;
  }
};

// ORDER By priority level, within a level by deadline, and then by submission.
class Pending {
 public:
  explicit Pending(const PendingOptions& options)
      : options_(options),
        plan_(ShapePlan::OrNone(options.shapes)),
        batched_(options.batched),
        tried_(plan_.buckets()) {}

  // Queues a request. If it throws std::bad_alloc, the request is not queued.
  void Add(Request* request);

  // Raises the level of requests that have waited long. It may be called at any time, and does something at most four
  // times in each aging interval.
  void Age(Nanos now);

  // Returns the group that would be served next. Its times are filled in only if `policy` holds batches back, because
  // they take a walk over the group.
  QueueView View(const BatchPolicy& policy) const noexcept;

  // Decides what to do now and with which group: the most urgent of those that `policy` would run, so that a group that
  // is held back does not delay others. `window` has the fields that the views of all groups share.
  struct Choice {
    Decision decision;
    size_t group = 0;
  };
  Choice Choose(const QueueView& window, Nanos now, const BatchPolicy& policy,
                const Costs& costs) const noexcept;

  // Moves the requests of a group that should run together to `batch`, and those that should not run at all to
  // `dropped`.
  //
  // SIZE A batch has at most `max_rows` rows and the elements of the plan. It has fewer rows if `costs` say that fewer
  // are clearly cheaper per row, except in an occasional trial that may correct them. In a model with length buckets,
  // of which loading measures few sizes, each other size is tried before a larger one. A first request that is larger
  // runs alone. If the group leaves room, requests of other groups are padded to share the batch, if that costs less
  // than to run them apart.
  //
  // DROPPED These are cancelled requests, requests past their deadline, and requests that cannot meet it. While a full
  // batch waits, a request cannot meet its deadline if a full batch is too late for it, because smaller batches would
  // make all requests behind it late too; otherwise if even a run alone is too late. If less than a full batch waits,
  // the batch shrinks until its most urgent request meets its deadline.
  // MEMORY Throws nothing if both vectors have room for all waiting requests.
  void Take(size_t group, int64_t max_rows, Nanos now, const Costs& costs,
            std::vector<Request*>& batch, std::vector<Request*>& dropped);
  // The same for the most urgent group.
  void Take(int64_t max_rows, Nanos now, const Costs& costs, std::vector<Request*>& batch,
            std::vector<Request*>& dropped) {
    Take(Next(), max_rows, now, costs, batch, dropped);
  }

  // Lets each request run alone from now on.
  void StopBatching() noexcept { batched_ = false; }
  bool batched() const noexcept { return batched_; }

  bool empty() const noexcept { return size_ == 0; }
  size_t size() const noexcept { return size_; }

 private:
  // Requests that can share a batch, because after padding their shapes are equal except for the rows.
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

  // Returns whether the shapes of an input are equal except for the rows and padded dimensions.
  bool Alike(size_t input, const Shape& a, const Shape& b) const noexcept;
  bool Fits(const Group& group, const Request& request) const noexcept;
  Group& GroupOf(const Request& request);
  // Returns the index of the group whose first request is the most urgent, or groups_.size() if no request waits.
  size_t Next() const noexcept;
  QueueView ViewOf(const Group& group, const BatchPolicy& policy) const noexcept;

  // Returns the most rows of a batch of the group's requests in `bucket`.
  int64_t RowLimit(const Group& group, size_t bucket, int64_t max_rows) const noexcept;
  Nanos CostOf(const Costs& costs, size_t bucket, int64_t rows) const noexcept;
  int64_t BestRows(const CostModel& cost, int64_t available) const noexcept;
  std::optional<int64_t> RowsInTime(const Request& head, int64_t rows, Nanos now,
                                    const CostModel& cost) const noexcept;
  // Returns a smaller batch size than `limit` that has been tried too few times to know its cost, or `limit`.
  int64_t SizeToTry(const Group& group, int64_t limit, const CostModel& cost);
  // Gives the last requests of `batch` from index `first` on back to their group, until the draft has a number of rows
  // that requests may share.
  void TrimToShared(Group& group, size_t first, Draft& draft, std::vector<Request*>& batch) noexcept;
  // Adds requests of other groups that should be padded to share the batch.
  void PadUp(const Group& own, Draft draft, int64_t max_rows, Nanos now, const Costs& costs,
             std::vector<Request*>& batch, std::vector<Request*>& dropped);

  const PendingOptions options_;
  const ShapePlan& plan_;
  bool batched_;
  Nanos next_aging_ = 0;
  std::vector<Group> groups_;
  size_t size_ = 0;
  // The number of batches that costs or deadlines have made smaller.
  uint32_t trimmed_ = 0;
  // How many times sizes were tried in each bucket; entry n is for 2^n rows.
  static constexpr size_t kTriedSizes = 21;
  std::vector<std::array<uint8_t, kTriedSizes>> tried_;
};

}  // namespace millrace
