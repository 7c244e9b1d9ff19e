// The cost models of all length buckets of a model.
#pragma once

#include <span>

#include "batching/cost_model.h"

namespace millrace {

// A view of the cost models, one for each length bucket of a ShapePlan.
class Costs {
 public:
  // Makes the view for a model with one bucket. It is implicit, because most models have one.
  Costs(const CostModel& only) noexcept : models_(&only, 1) {}
  explicit Costs(std::span<const CostModel> models) noexcept : models_(models) {}

  const CostModel& operator[](size_t bucket) const noexcept { return models_[bucket]; }

 private:
  std::span<const CostModel> models_;
};

}  // namespace millrace
