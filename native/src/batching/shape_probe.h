// Finds out whether padding leaves a model's answers as they are.
#pragma once

#include <string>

#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

// Runs `executor` on made-up rows of two lengths, alone and as a batch pads them.
//
// Where the answers differ beyond rounding `plan.pads` is turned off; where that cannot be found out,
// since the model refuses made-up rows, padding stays as it was declared. `reason` is then a sentence
// that says so, otherwise empty.
//
// kInvalidArgument, with what to declare: an output's size changes with the lengths and nothing says
// which axis it follows, or it follows one and has another length.
Status ProbePadding(const Signature& signature, Executor& executor, const Clock& clock, bool batched,
                    ShapePlan& plan, std::string& reason);

}  // namespace millrace
