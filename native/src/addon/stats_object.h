// The parts of statistics that all kinds of models have, as JavaScript objects.
#pragma once

#include <vector>

#include "addon/node_addon_api.h"
#include "batching/histogram.h"
#include "batching/tally.h"

namespace millrace {

// Returns a Histogram of native/types.ts.
Napi::Object ToObject(Napi::Env env, const Histogram::Snapshot& histogram);

// Returns a RunSums of native/types.ts.
Napi::Object ToObject(Napi::Env env, const Tally::Sums& sums);

// Returns the `sizes` of a ModelStats of native/types.ts.
Napi::Array ToArray(Napi::Env env, const std::vector<Tally::Size>& sizes);

}  // namespace millrace
