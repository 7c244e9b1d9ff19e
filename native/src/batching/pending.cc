#include "batching/pending.h"

#include <algorithm>
#include <new>
#include <tuple>
#include <utility>

namespace millrace {
namespace {

// Enough groups for every bucket of a model. If there are more, empty ones are removed.
constexpr size_t kMaxIdleGroups = 32;
// Of the batches that are smaller than possible, one in this many is as large as its deadlines allow. Otherwise a size
// that seems expensive after a few bad runs would never be run, and so never be measured again. It is a prime, so that
// groups take turns.
constexpr uint32_t kTrimmedTrialEvery = 61;
// How many times a size is tried. The first run of a size allocates memory, and is a part of the mean.
constexpr uint8_t kTries = 3;

}  // namespace

// Returns whether `a` is less urgent than `b`, which is the order of std::push_heap.
bool Pending::LessUrgent(const Request* a, const Request* b) noexcept {
  return std::tie(a->level, a->due, a->sequence) > std::tie(b->level, b->due, b->sequence);
}

bool Pending::Alike(size_t input, const Shape& a, const Shape& b) const noexcept {
  if (a.rank != b.rank) return false;
  for (size_t axis = batched_ ? 1 : 0; axis < a.rank; ++axis) {
    if (a.dims[axis] == b.dims[axis]) continue;
    if (!plan_.pads || plan_.InputAxis(input, axis) == ShapePlan::kNone) return false;
  }
  return true;
}

bool Pending::Fits(const Group& group, const Request& request) const noexcept {
  if (group.bucket != request.bucket) return false;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    if (!Alike(i, group.shapes[i], request.inputs[i].view.shape)) return false;
  }
  return true;
}

Pending::Group& Pending::GroupOf(const Request& request) {
  for (Group& group : groups_) {
    if (Fits(group, request)) return group;
  }
  if (groups_.size() >= kMaxIdleGroups) {
    std::erase_if(groups_, [](const Group& group) { return group.heap.empty(); });
  }
  Group group;
  group.bucket = request.bucket;
  group.shapes.reserve(request.inputs.size());
  for (const Input& input : request.inputs) group.shapes.push_back(input.view.shape);
  return groups_.emplace_back(std::move(group));
}

void Pending::Add(Request* request) {
  request->level = request->priority;
  request->due = options_.DueOf(*request);
  Group& group = GroupOf(*request);
  group.heap.push_back(request);
  std::ranges::push_heap(group.heap, LessUrgent);
  group.rows += request->rows;
  ++size_;
}

void Pending::Age(Nanos now) {
  if (now < next_aging_) return;
  next_aging_ = now + options_.aging / 4;
  for (Group& group : groups_) {
    bool changed = false;
    for (Request* request : group.heap) {
      const Nanos risen = (now - request->submitted) / options_.aging;
      const auto level =
          static_cast<uint8_t>(std::max<Nanos>(Nanos{request->priority} - risen, 0));
      changed = changed || level != request->level;
      request->level = level;
    }
    if (changed) std::ranges::make_heap(group.heap, LessUrgent);
  }
}

size_t Pending::Next() const noexcept {
  size_t next = groups_.size();
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].heap.empty()) continue;
    if (next == groups_.size() || LessUrgent(groups_[next].heap.front(), groups_[i].heap.front())) {
      next = i;
    }
  }
  return next;
}

QueueView Pending::ViewOf(const Group& group, const BatchPolicy& policy) const noexcept {
  QueueView view;
  view.requests = group.heap.size();
  view.rows = group.rows;
  if (policy.kind != PolicyKind::kBusy) {
    for (const Request* request : group.heap) {
      view.oldest = std::min(view.oldest, request->submitted);
      view.earliest_deadline = std::min(view.earliest_deadline, request->deadline);
    }
  }
  return view;
}

QueueView Pending::View(const BatchPolicy& policy) const noexcept {
  return empty() ? QueueView{} : ViewOf(groups_[Next()], policy);
}

Pending::Choice Pending::Choose(const QueueView& window, Nanos now, const BatchPolicy& policy,
                                const Costs& costs) const noexcept {
  using Action = Decision::Action;
  Choice best;
  for (size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    if (group.heap.empty()) continue;
    BatchPolicy own = policy;
    own.max_rows = RowLimit(group, group.bucket, policy.max_rows);
    const QueueView waiting = ViewOf(group, policy);
    QueueView view = window;
    // A worker that waits delays the requests of all shapes.
    view.requests = policy.kind == PolicyKind::kExcess ? size_ : waiting.requests;
    view.rows = waiting.rows;
    view.oldest = waiting.oldest;
    view.earliest_deadline = waiting.earliest_deadline;
    view.cost = CostOf(costs, group.bucket, std::min(view.rows, own.max_rows));
    const Decision decision = Decide(view, now, own);
    const bool first = best.decision.action == Action::kIdle;
    if (decision.action == Action::kWait) {
      if (first || (best.decision.action == Action::kWait &&
                    decision.until < best.decision.until)) {
        best = {decision, i};
      }
    } else if (best.decision.action != Action::kRun ||
               LessUrgent(groups_[best.group].heap.front(), group.heap.front())) {
      best = {decision, i};
    }
  }
  return best;
}

Request* Pending::Pop(Group& group) {
  Request* const request = group.heap.front();
  std::ranges::pop_heap(group.heap, LessUrgent);
  group.heap.pop_back();
  group.rows -= request->rows;
  --size_;
  return request;
}

int64_t Pending::RowLimit(const Group& group, size_t bucket, int64_t max_rows) const noexcept {
  if (!batched_) return 1;
  int64_t per_row = 0;
  for (size_t i = 0; i < group.shapes.size(); ++i) {
    const Shape shape = plan_.InputShape(i, group.shapes[i], bucket);
    per_row = std::max(per_row, shape.Elements(1).value_or(INT64_MAX));
  }
  return plan_.RowLimit(per_row, max_rows);
}

Nanos Pending::CostOf(const Costs& costs, size_t bucket, int64_t rows) const noexcept {
  return costs[bucket].Mean(plan_.RunRows(rows));
}

int64_t Pending::BestRows(const CostModel& cost, int64_t available) const noexcept {
  return cost.BestRows(available, plan_.RunRows(available));
}

// Returns the most rows, up to `rows`, with which `head` meets its deadline, or nothing if it is too late even alone.
std::optional<int64_t> Pending::RowsInTime(const Request& head, int64_t rows, Nanos now,
                                           const CostModel& cost) const noexcept {
  if (head.deadline == kNever || head.trial) return rows;
  const Nanos left = head.deadline - now;
  const auto mean = [&] { return cost.Mean(plan_.RunRows(rows)); };
  while (rows > head.rows && mean() > left) rows = std::max(head.rows, rows * 3 / 4);
  if (mean() > left) return std::nullopt;
  return rows;
}

int64_t Pending::SizeToTry(const Group& group, int64_t limit, const CostModel& cost) {
  if (!batched_ || plan_.buckets() < 2 || cost.empty() || group.heap.empty()) return limit;
  std::array<uint8_t, kTriedSizes>& tried = tried_[group.bucket];
  for (size_t i = 0; i < kTriedSizes; ++i) {
    const int64_t rows = int64_t{1} << i;
    if (rows >= limit) break;
    // Loading has run these several times.
    if (tried[i] == 0 && cost.Knows(rows)) tried[i] = kTries;
    const bool runs = plan_.RunRows(rows) == rows && plan_.MostShared(rows) == rows;
    if (!runs || rows < group.heap.front()->rows || tried[i] == kTries) continue;
    // Counted also if the batch turns out smaller, as it does if the next request is large.
    ++tried[i];
    return rows;
  }
  return limit;
}

void Pending::TrimToShared(Group& group, size_t first, Draft& draft,
                           std::vector<Request*>& batch) noexcept {
  while (batch.size() > std::max<size_t>(first, 1) && !plan_.MayShare(plan_.RunRows(draft.rows))) {
    Request* const request = batch.back();
    batch.pop_back();
    draft.rows -= request->rows;
    // There is room, because the group had it before.
    group.heap.push_back(request);
    std::ranges::push_heap(group.heap, LessUrgent);
    group.rows += request->rows;
    ++size_;
  }
}

void Pending::Take(size_t index, int64_t max_rows, Nanos now, const Costs& costs,
                   std::vector<Request*>& batch, std::vector<Request*>& dropped) {
  if (empty()) return;
  Group& group = groups_[index];
  const CostModel& cost = costs[group.bucket];
  const int64_t most = RowLimit(group, group.bucket, max_rows);
  const int64_t full = BestRows(cost, most);
  int64_t limit = 0;
  while (!group.heap.empty()) {
    Request& head = *group.heap.front();
    if (IsOver(head, now)) {
      dropped.push_back(Pop(group));
      continue;
    }
    const int64_t wanted = std::max(head.rows, BestRows(cost, std::min(group.rows, most)));
    const std::optional<int64_t> in_time = RowsInTime(head, wanted, now, cost);
    limit = in_time.value_or(0);
    if (in_time && (limit == wanted || group.rows < full)) break;
    dropped.push_back(Pop(group));
  }
  const int64_t all = std::min(group.rows, most);
  if (const int64_t size = SizeToTry(group, limit, cost); size < limit) {
    limit = size;
  } else if (limit < all && ++trimmed_ % kTrimmedTrialEvery == 0) {
    limit = std::max(limit, RowsInTime(*group.heap.front(), all, now, cost).value_or(0));
  }
  limit = plan_.MostShared(limit);
  Draft draft{group.bucket};
  while (!group.heap.empty()) {
    Request& head = *group.heap.front();
    if (IsOver(head, now)) {
      dropped.push_back(Pop(group));
      continue;
    }
    if (!batch.empty() && (!batched_ || draft.rows + head.rows > limit)) break;
    draft.rows += head.rows;
    draft.earliest_deadline = std::min(draft.earliest_deadline, head.deadline);
    batch.push_back(Pop(group));
  }
  if (batched_) TrimToShared(group, 0, draft, batch);
  const bool room = batched_ && group.heap.empty() && draft.rows < most;
  if (room && !batch.empty() && plan_.pads && plan_.buckets() > 1) {
    PadUp(group, draft, max_rows, now, costs, batch, dropped);
  }
}

void Pending::PadUp(const Group& own, Draft draft, int64_t max_rows, Nanos now, const Costs& costs,
                    std::vector<Request*>& batch, std::vector<Request*>& dropped) {
  std::vector<Group*> others;
  try {
    others.reserve(groups_.size());
  } catch (const std::bad_alloc&) {
    return;  // the batch stays as it is
  }
  for (Group& group : groups_) {
    bool alike = !group.heap.empty();
    for (size_t i = 0; alike && i < own.shapes.size(); ++i) {
      alike = Alike(i, own.shapes[i], group.shapes[i]);
    }
    if (alike) others.push_back(&group);
  }
  std::ranges::sort(others, [](const Group* a, const Group* b) {
    return LessUrgent(b->heap.front(), a->heap.front());
  });
  for (Group* other : others) {
    const size_t joined = plan_.Join(draft.bucket, other->bucket);
    const int64_t limit = RowLimit(own, joined, max_rows);
    const int64_t total = plan_.MostShared(std::min(limit, draft.rows + other->rows));
    const int64_t taken = total - draft.rows;
    if (taken < 1) continue;
    const int64_t left = other->rows - taken;
    const Nanos first = CostOf(costs, draft.bucket, draft.rows);
    const Nanos second = CostOf(costs, other->bucket, other->rows);
    const Nanos together = CostOf(costs, joined, draft.rows + taken);
    const Nanos rest = left == 0 ? 0 : CostOf(costs, other->bucket, left);
    // Without measured costs it is not known whether padding pays.
    if (first == 0 || second == 0 || together == 0 || together + rest >= first + second) continue;
    if (draft.earliest_deadline != kNever && now + together > draft.earliest_deadline) continue;
    const size_t first_added = batch.size();
    const Draft before = draft;
    while (!other->heap.empty()) {
      Request& head = *other->heap.front();
      if (IsOver(head, now)) {
        dropped.push_back(Pop(*other));
        continue;
      }
      const bool late = head.deadline != kNever && now + together > head.deadline;
      if (late || draft.rows + head.rows > total) break;
      draft.bucket = joined;
      draft.rows += head.rows;
      draft.earliest_deadline = std::min(draft.earliest_deadline, head.deadline);
      batch.push_back(Pop(*other));
    }
    TrimToShared(*other, first_added, draft, batch);
    if (batch.size() == first_added) draft = before;
  }
}

}  // namespace millrace
