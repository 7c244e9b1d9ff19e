#include "batching/pending.h"

#include <algorithm>
#include <tuple>

namespace millrace {
namespace {

// Enough for every bucket of a model; beyond it, groups that stand empty are forgotten.
constexpr size_t kMaxIdleGroups = 32;

}  // namespace

// True if `a` yields to `b`, which is the order std::push_heap wants.
bool Pending::LessUrgent(const Request* a, const Request* b) noexcept {
  return std::tie(a->level, a->due, a->sequence) > std::tie(b->level, b->due, b->sequence);
}

bool Pending::Fits(const Group& group, const Request& request) const noexcept {
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const Shape& ours = group.shapes[i];
    const Shape& theirs = request.inputs[i].view.shape;
    if (ours.rank != theirs.rank) return false;
    const size_t from = options_.batched ? 1 : 0;
    if (!std::equal(ours.dims.begin() + from, ours.dims.begin() + ours.rank,
                    theirs.dims.begin() + from)) {
      return false;
    }
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
  Group& group = groups_.emplace_back();
  group.shapes.reserve(request.inputs.size());
  for (const Input& input : request.inputs) group.shapes.push_back(input.view.shape);
  return group;
}

void Pending::Add(Request* request) {
  request->level = request->priority;
  request->due = request->deadline != kNever ? request->deadline
                                             : request->submitted + options_.patience;
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

QueueView Pending::View(const BatchPolicy& policy) const noexcept {
  QueueView view;
  if (empty()) return view;
  const Group& group = groups_[Next()];
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

Request* Pending::Pop(Group& group) {
  Request* const request = group.heap.front();
  std::ranges::pop_heap(group.heap, LessUrgent);
  group.heap.pop_back();
  group.rows -= request->rows;
  --size_;
  return request;
}

// The most rows, at most `rows`, with which `head` ends in time; none if it is too late even alone.
std::optional<int64_t> Pending::RowsInTime(const Request& head, int64_t rows, Nanos now,
                                           const CostModel& cost) {
  if (head.deadline == kNever) return rows;
  const Nanos left = head.deadline - now;
  while (rows > head.rows && cost.Mean(rows) > left) rows = std::max(head.rows, rows * 3 / 4);
  if (cost.Mean(rows) > left) return std::nullopt;
  return rows;
}

void Pending::Take(int64_t max_rows, Nanos now, const CostModel& cost,
                   std::vector<Request*>& batch, std::vector<Request*>& dropped) {
  if (empty()) return;
  Group& group = groups_[Next()];
  const int64_t full = cost.BestRows(max_rows);
  int64_t limit = 0;
  while (!group.heap.empty()) {
    Request& head = *group.heap.front();
    if (head.cancelled.load(std::memory_order_relaxed) || head.deadline <= now) {
      dropped.push_back(Pop(group));
      continue;
    }
    const int64_t wanted = std::max(head.rows, cost.BestRows(std::min(group.rows, max_rows)));
    const std::optional<int64_t> in_time = RowsInTime(head, wanted, now, cost);
    limit = in_time.value_or(0);
    if (in_time && (limit == wanted || group.rows < full)) break;
    dropped.push_back(Pop(group));
  }
  int64_t rows = 0;
  while (!group.heap.empty()) {
    Request& head = *group.heap.front();
    if (head.cancelled.load(std::memory_order_relaxed) || head.deadline <= now) {
      dropped.push_back(Pop(group));
      continue;
    }
    if (!batch.empty() && (!options_.batched || rows + head.rows > limit)) break;
    rows += head.rows;
    batch.push_back(Pop(group));
  }
}

}  // namespace millrace
