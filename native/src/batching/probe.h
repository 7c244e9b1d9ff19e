// Finds out whether requests to a model can be batched.
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
  // A sentence that says why requests are not batched, or only in smaller batches than declared; otherwise empty.
  std::string reason;
  // The most rows of a batch.
  int64_t max_rows = 1;
  // The numbers of rows that were compared, ascending, if there was no time for all up to `max_rows`; otherwise empty.
  std::vector<int64_t> compared_rows{};
};

struct ProbeOptions {
  // The rows of the largest batch that may be formed.
  int64_t max_rows = 64;
  const ShapePlan* shapes = nullptr;
  // Whether the size of an output may depend on the data, so that equal numbers of rows in the probe prove nothing about
  // other data.
  bool data_sized = false;
  // See ProbeRows::Make.
  bool indices = false;
};

// Requests can be batched if dimension 0 of every input and output counts rows, and the results of a row do not depend
// on the other rows.
//
// HOW Rows of several kinds run alone. Then they run together in pairs, in another order, with equal rows, in the largest
// batches, and in batches of every other number of rows. If an output differs by more than rounding, the model is not
// batched. An output whose dimension 0 has another name in the file than that of the inputs counts something else (such as
// detected boxes), whatever the runs show; names that exporters generate are ignored.
// Why: .github/decisions/0015-rows-are-proven-independent.md
//
// COST Rows that the model refuses alone are left out. Slow models run fewer rows, at least eight, and are then batched up
// to the size that was run. Numbers of rows for which there is no time are left out, and requests do not share batches of
// them.
//
// Dynamic dimensions other than 0 have the size 4. Declared axes have their smallest lengths.
Batchability ProbeBatching(const Signature& signature, Executor& executor, const Clock& clock,
                           const ProbeOptions& options);

// Returns whether dimension 0 of each output counts the rows of made-up inputs, and true if the model refuses those. For
// models that are declared to be batched.
bool OutputsCountRows(const Signature& signature, Executor& executor, const ShapePlan& plan);

}  // namespace millrace
