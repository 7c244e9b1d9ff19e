// Finds out whether padding changes the outputs of a model.
#pragma once

#include <string>

#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

// Runs `executor` on made-up rows of two lengths, alone and padded in a batch.
//
// If the outputs differ by more than rounding, `plan.pads` becomes false. If that cannot be found out because the model
// refuses the rows, padding stays as it was declared. In both cases `reason` is a sentence that says so, and otherwise
// it is empty.
//
// Returns kInvalidArgument, with what to declare, if the size of an output changes with the lengths but no axis is
// declared for it, or if it does not have the length of its axis.
Status ProbePadding(const Signature& signature, Executor& executor, const Clock& clock, bool batched,
                    ShapePlan& plan, std::string& reason);

}  // namespace millrace
