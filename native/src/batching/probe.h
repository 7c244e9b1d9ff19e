// Finds out whether requests to a model may share a run.
#pragma once

#include <string>

#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

struct Batchability {
  bool batched = false;
  // A sentence that says why requests are not joined; empty if they are.
  std::string reason;
};

// Requests may share a run if dimension 0 is dynamic in every input and every output, and two random
// rows give the same answers together as alone. No naming rule would do: exporters leave dynamic
// dimensions unnamed, and a dynamic dimension 0 need not count rows (a sequence, say).
//
// Runs `executor` three times on inputs of its own making; dynamic dimensions other than 0 get the
// size 4, integers are 0 or 1 so that they are valid indices. A model that refuses such inputs is
// not batched. Declared axes have their least lengths.
Batchability ProbeBatching(const Signature& signature, Executor& executor,
                           const ShapePlan* shapes = nullptr);

}  // namespace millrace
