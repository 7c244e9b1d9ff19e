#include "batching/pending.h"

#include <algorithm>
#include <tuple>

namespace millrace {
namespace {

// Enough for every bucket of a model; beyond it, groups that stand empty are forgotten.
constexpr size_t kMaxIdleGroups = 32;

// By level, then earliest deadline first, then first come first served. True if `a` yields to `b`,
// which is the order std::push_heap wants.
bool LessUrgent(const Request* a, const Request* b) noexcept {
  return std::tie(a->priority, a->deadline, a->sequence) >
         std::tie(b->priority, b->deadline, b->sequence);
}

}  // namespace

bool Pending::Fits(const Group& group, const Request& request) const noexcept {
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const Shape& ours = group.shapes[i];
    const Shape& theirs = request.inputs[i].view.shape;
    if (ours.rank != theirs.rank) return false;
    const size_t from = batched_ ? 1 : 0;
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
  Group& group = GroupOf(*request);
  group.heap.push_back(request);
  std::ranges::push_heap(group.heap, LessUrgent);
  group.rows += request->rows;
  ++size_;
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
  if (policy.max_delay > 0) {
    for (const Request* request : group.heap) {
      view.oldest = std::min(view.oldest, request->submitted);
      view.earliest_deadline = std::min(view.earliest_deadline, request->deadline);
    }
  }
  return view;
}

void Pending::Take(int64_t max_rows, Nanos now, std::vector<Request*>& batch,
                   std::vector<Request*>& dropped) {
  if (empty()) return;
  Group& group = groups_[Next()];
  int64_t rows = 0;
  while (!group.heap.empty()) {
    Request* const request = group.heap.front();
    const bool drop =
        request->cancelled.load(std::memory_order_relaxed) || request->deadline <= now;
    if (!drop && !batch.empty() && (!batched_ || rows + request->rows > max_rows)) break;
    std::ranges::pop_heap(group.heap, LessUrgent);
    group.heap.pop_back();
    group.rows -= request->rows;
    --size_;
    (drop ? dropped : batch).push_back(request);
    if (!drop) rows += request->rows;
  }
}

}  // namespace millrace
