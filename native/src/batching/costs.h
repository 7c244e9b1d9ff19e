// The cost models of all buckets of a model.
#pragma once

#include <span>

#include "batching/cost_model.h"

namespace millrace {

// One cost model for each bucket of a ShapePlan. A view: it owns nothing.
class Costs {
 public:
  // Of a model with one bucket. Implicit, because that is most of them.
  Costs(const CostModel& only) noexcept : models_(&only, 1) {}
  explicit Costs(std::span<const CostModel> models) noexcept : models_(models) {}

  const CostModel& operator[](size_t bucket) const noexcept { return models_[bucket]; }

 private:
  std::span<const CostModel> models_;
};

}  // namespace millrace
