// What it costs to let another thread do the work.
#pragma once

#include "batching/clock.h"

namespace millrace {

// Time from waking a sleeping thread to its running, as workers sleep and are woken: the middle of a few
// dozen measurements, which take a millisecond or two.
Nanos MeasureWake(const Clock& clock);

}  // namespace millrace
