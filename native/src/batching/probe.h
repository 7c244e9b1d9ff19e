// Finds out whether requests to a model may share a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "batching/shape_plan.h"

namespace millrace {

struct Batchability {
  bool batched = false;
  // A sentence that says why requests do not share runs, or fewer of them than was wanted; else empty.
  std::string reason;
  // Most rows of a run.
  int64_t max_rows = 1;
  // Numbers of rows up to `max_rows` that were compared, ascending, if some were not for lack of time.
  std::vector<int64_t> compared_rows{};
};

struct ProbeOptions {
  // Rows of the largest batch that may be formed.
  int64_t max_rows = 64;
  const ShapePlan* shapes = nullptr;
  // The size of an output may depend on what the inputs hold, so that equal numbers of rows at the probe
  // prove nothing about others.
  bool data_sized = false;
  // See ProbeRows::Make.
  bool indices = false;
};

// Requests may share a run if dimension 0 counts rows in every input and output and each row's results do
// not depend on the rows beside it.
//
// HOW Rows of several kinds run alone; then together in pairs, in another order, with equal rows, in the
// largest batches, and in batches of every other number of rows. Whatever differs beyond rounding is the reason why the model is not batched.
// An output whose dimension 0 has another name in the file than that of the inputs counts something else
// (boxes that are kept, say), whatever the made-up rows show; names that exporters give by themselves
// count as no names. Why: .github/decisions/0015-rows-are-proven-independent.md
//
// COST Rows that the model refuses alone are left out. Slow models run fewer rows, eight in any case, and
// are then batched up to the size that was run. Numbers of rows for which there is no time are left out, and
// requests do not share runs of them.
//
// Dynamic dimensions other than 0 get the size 4. Declared axes have their least lengths.
Batchability ProbeBatching(const Signature& signature, Executor& executor, const Clock& clock,
                           const ProbeOptions& options);

// Whether dimension 0 of each output counts the rows of made-up inputs; true also where the model refuses
// those. For models that are declared to be batched.
bool OutputsCountRows(const Signature& signature, Executor& executor, const ShapePlan& plan);

}  // namespace millrace
