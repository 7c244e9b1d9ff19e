// What must hold of every run of a batcher, whatever comes, and how each property would be broken.
#pragma once

#include <bit>
#include <map>
#include <set>

#include "support/property.h"

namespace millrace::test {

// Predicates on a trace.
class Look {
 public:
  Look(const Scenario& scenario, const Trace& trace) : scenario_(scenario), trace_(trace) {
    for (const Attempt& attempt : trace.attempts) ran_.insert(attempt.ids.begin(), attempt.ids.end());
  }

  bool Ran(size_t id) const { return ran_.contains(id); }

  Nanos Deadline(size_t id) const {
    const Nanos allowed = scenario_.arrivals[id].allowed;
    return allowed == kNever ? kNever : trace_.seen[id].submitted + allowed;
  }

  // Requests that were in the queue when the turn began.
  std::vector<size_t> Waiting(size_t step) const {
    return Those([&](const Seen& seen, size_t) {
      return seen.accepted() && !seen.inlined && seen.submit_step < step && seen.left_step >= step;
    });
  }
  // Of them, those it ran.
  std::vector<size_t> Taken(size_t step) const {
    return Those([&](const Seen& seen, size_t id) { return seen.left_step == step && Ran(id); });
  }
  std::vector<size_t> LeftBehind(size_t step) const {
    return Those([&](const Seen& seen, size_t) {
      return seen.accepted() && !seen.inlined && seen.submit_step < step && seen.left_step > step;
    });
  }

  int64_t RowsOf(const std::vector<size_t>& ids) const {
    int64_t rows = 0;
    for (const size_t id : ids) rows += scenario_.arrivals[id].rows;
    return rows;
  }

 private:
  template <class Choose>
  std::vector<size_t> Those(Choose choose) const {
    std::vector<size_t> ids;
    for (size_t id = 0; id < trace_.seen.size(); ++id) {
      if (choose(trace_.seen[id], id)) ids.push_back(id);
    }
    return ids;
  }

  const Scenario& scenario_;
  const Trace& trace_;
  std::set<size_t> ran_;
};

// The first request of which `wrong` is true makes the fault.
template <class Wrong>
std::string EachSeen(const Trace& trace, const char* what, Wrong wrong) {
  for (size_t id = 0; id < trace.seen.size(); ++id) {
    if (wrong(trace.seen[id], id)) return "request " + std::to_string(id) + " " + what;
  }
  return {};
}

template <class Wrong>
std::string EachAttempt(const Trace& trace, const char* what, Wrong wrong) {
  for (const Attempt& attempt : trace.attempts) {
    if (wrong(attempt)) return "a run at " + std::to_string(attempt.began) + " " + what;
  }
  return {};
}

template <class Wrong>
std::string EachTurn(const Trace& trace, const char* what, Wrong wrong) {
  for (const Turn& turn : trace.turns) {
    if (wrong(turn)) return "the turn at " + std::to_string(turn.at) + " " + what;
  }
  return {};
}

// Changes the first element that will do.
template <class Elements, class Fits, class Change>
bool SpoilFirst(Elements& elements, Fits fits, Change change) {
  const auto found = std::ranges::find_if(elements, fits);
  if (found == elements.end()) return false;
  change(*found);
  return true;
}

inline bool HasResponse(const Seen& seen) { return seen.accepted() && !seen.inlined; }
inline bool Succeeded(const Seen& seen) { return seen.accepted() && seen.code == Code::kOk; }

// Lets somebody who was left behind change places with somebody who was taken.
inline bool Overtake(Scenario& scenario, Trace& trace) {
  const Look look(scenario, trace);
  for (const Turn& turn : trace.turns) {
    const auto taken = look.Taken(turn.step);
    for (const size_t other : look.LeftBehind(turn.step)) {
      if (taken.empty() || !look.Ran(other)) continue;
      std::swap(trace.seen[taken.front()].left_step, trace.seen[other].left_step);
      return true;
    }
  }
  return false;
}

// One width, nobody cancelled, nothing fails: what order and time are about.
inline void Plain(Scenario& scenario, Random&) {
  scenario.known = true;
  scenario.close_at = kNever;
  for (Arrival& arrival : scenario.arrivals) {
    arrival.width = 1;
    arrival.cancel_after = kNever;
    arrival.poison = false;
  }
}

// Where every request stands in line: whoever is taken stands before whoever is left behind.
template <class Key>
std::string InOrder(const Scenario& scenario, const Trace& trace, Key key) {
  const Look look(scenario, trace);
  const char* const what = "took a request before one that should have gone first";
  return EachTurn(trace, what, [&](const Turn& turn) {
    const auto taken = look.Taken(turn.step);
    const auto left = look.LeftBehind(turn.step);
    return std::ranges::any_of(taken, [&](size_t id) {
      return std::ranges::any_of(left, [&](size_t other) { return key(other) < key(id); });
    });
  });
}

// Rounding of a learnt mean.
inline Nanos Slack(Nanos time) { return time / 100 + 10; }

// ── Everything comes back, once and whole ────────────────────────────────────────────────────────

inline std::vector<Property> ConservationProperties() {
  return {
      {"EveryAcceptedRequestGetsExactlyOneResponse", nullptr,
       [](const Scenario&, const Trace& trace) {
         return EachSeen(trace, "was not delivered once", [](const Seen& seen, size_t) {
           return seen.responses != (HasResponse(seen) ? 1u : 0u);
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, HasResponse, [](Seen& seen) { seen.responses = 2; });
       }},
      {"AResponseHoldsTheRequestsOwnRows", nullptr,
       [](const Scenario&, const Trace& trace) {
         return EachSeen(trace, "got somebody else's rows",
                         [](const Seen& seen, size_t) { return Succeeded(seen) && !seen.own_rows; });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, Succeeded, [](Seen& seen) { seen.own_rows = false; });
       }},
      {"CountersAddUpAtAnyTime", nullptr,
       [](const Scenario&, const Trace& trace) {
         std::map<Code, uint64_t> codes;
         uint64_t refused = 0;
         for (const Seen& seen : trace.seen) {
           if (seen.accepted()) ++codes[seen.code];
           else ++refused;
         }
         const BatcherStats& stats = trace.stats;
         const bool right = trace.balanced && stats.completed == codes[Code::kOk] &&
                            stats.cancelled == codes[Code::kCancelled] &&
                            stats.expired == codes[Code::kDeadlineExceeded] &&
                            stats.failed == codes[Code::kInvalidArgument] &&
                            stats.rejected == refused && stats.queued == 0 && stats.running == 0 &&
                            stats.submitted == trace.seen.size() - refused;
         return std::string(right ? "" : "the counters do not say what happened");
       },
       [](Scenario&, Trace& trace) {
         ++trace.stats.completed;
         return true;
       }},
      {"RowsAreNeitherLostNorMade", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         std::vector<size_t> ran;
         for (size_t id = 0; id < trace.seen.size(); ++id) {
           if (look.Ran(id)) ran.push_back(id);
         }
         if (trace.stats.rows != static_cast<uint64_t>(look.RowsOf(ran))) {
           return std::string("the counter of rows is not the rows that ran");
         }
         return EachAttempt(trace, "had other rows than its requests", [&](const Attempt& attempt) {
           return attempt.rows != look.RowsOf(attempt.ids);
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.attempts, [](const Attempt&) { return true; },
                           [](Attempt& attempt) { ++attempt.rows; });
       }},
      {"RowsTileTheirBatch", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         return EachAttempt(trace, "was not cut up row by row", [&](const Attempt& attempt) {
           if (!attempt.ok) return false;
           std::vector<std::pair<int64_t, int64_t>> parts;
           for (const size_t id : attempt.ids) {
             const Seen& seen = trace.seen[id];
             if (seen.batch_rows != attempt.rows) return true;
             if (seen.batch_requests != attempt.ids.size()) return true;
             parts.emplace_back(seen.first_row, scenario.arrivals[id].rows);
           }
           std::ranges::sort(parts);
           int64_t next = 0;
           for (const auto& [first, rows] : parts) {
             if (first != std::exchange(next, first + rows)) return true;
           }
           return next != attempt.rows;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, Succeeded, [](Seen& seen) { ++seen.first_row; });
       }},
      {"TimesAreInOrder", nullptr,
       [](const Scenario&, const Trace& trace) {
         return EachSeen(trace, "has times out of order", [](const Seen& seen, size_t) {
           const bool in_order = seen.submitted <= seen.started && seen.started <= seen.finished &&
                                 seen.finished <= seen.delivered;
           return seen.accepted() && !in_order;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, HasResponse,
                           [](Seen& seen) { seen.started = seen.submitted - 1; });
       }},
  };
}

// ── What shares a run ────────────────────────────────────────────────────────────────────────────

inline std::vector<Property> BatchProperties() {
  return {
      {"NoBatchIsLargerThanMaxRows", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         return EachAttempt(trace, "had too many rows", [&](const Attempt& attempt) {
           return attempt.ids.size() > 1 && attempt.rows > scenario.options.policy.max_rows;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         return SpoilFirst(
             trace.attempts, [](const Attempt& attempt) { return attempt.ids.size() > 1; },
             [&](Attempt& attempt) { attempt.rows = scenario.options.policy.max_rows + 1; });
       }},
      {"ARunHasOneShape", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         return EachAttempt(trace, "had rows of two widths", [&](const Attempt& attempt) {
           return std::ranges::any_of(attempt.ids, [&](size_t id) {
             return scenario.arrivals[id].width != scenario.arrivals[attempt.ids.front()].width;
           });
         });
       },
       [](Scenario& scenario, Trace& trace) {
         return SpoilFirst(
             trace.attempts, [](const Attempt& attempt) { return attempt.ids.size() > 1; },
             [&](Attempt& attempt) { ++scenario.arrivals[attempt.ids.back()].width; });
       }},
      {"RequestsToAModelThatDoesNotBatchRunAlone",
       [](Scenario& scenario, Random&) { scenario.options.pending.batched = false; },
       [](const Scenario&, const Trace& trace) {
         return EachAttempt(trace, "held several requests",
                            [](const Attempt& attempt) { return attempt.ids.size() != 1; });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.attempts, [](const Attempt&) { return true; },
                           [](Attempt& attempt) { attempt.ids.push_back(0); });
       }},
      {"AWorkerDoesOneThingAtATime", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         std::map<size_t, Nanos> free_at;
         return EachAttempt(trace, "began before its worker was free", [&](const Attempt& attempt) {
           return attempt.worker >= scenario.options.workers ||
                  attempt.began < std::exchange(free_at[attempt.worker], attempt.ended);
         });
       },
       [](Scenario&, Trace& trace) {
         if (trace.attempts.size() < 2) return false;
         trace.attempts.back() = trace.attempts.front();
         return true;
       }},
      {"OnlyThePoisonFails",
       [](Scenario& scenario, Random& random) {
         for (Arrival& arrival : scenario.arrivals) arrival.poison = random.OneIn(5);
       },
       [](const Scenario& scenario, const Trace& trace) {
         return EachSeen(trace, "failed for another", [&](const Seen& seen, size_t id) {
           return seen.accepted() && (seen.code == Code::kInvalidArgument) &&
                  !scenario.arrivals[id].poison;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         for (size_t id = 0; id < trace.seen.size(); ++id) {
           if (!Succeeded(trace.seen[id]) || scenario.arrivals[id].poison) continue;
           trace.seen[id].code = Code::kInvalidArgument;
           return true;
         }
         return false;
       }},
      {"OnePoisonCostsFewExtraRuns",
       [](Scenario& scenario, Random& random) {
         scenario.options.policy.max_rows = 16;
         for (Arrival& arrival : scenario.arrivals) arrival.poison = random.OneIn(6);
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return EachTurn(trace, "ran its batch too often", [&](const Turn& turn) {
           const auto taken = look.Taken(turn.step);
           const auto poison = std::ranges::count_if(
               taken, [&](size_t id) { return scenario.arrivals[id].poison; });
           const auto runs = std::ranges::count_if(trace.attempts, [&](const Attempt& attempt) {
             return attempt.turn_step == turn.step;
           });
           const auto halvings =
               static_cast<int64_t>(std::bit_width(std::max<size_t>(taken.size(), 1) - 1));
           return runs > (taken.empty() ? 0 : 1 + 2 * poison * halvings);
         });
       },
       [](Scenario&, Trace& trace) {
         if (trace.attempts.empty()) return false;
         for (int i = 0; i < 100; ++i) trace.attempts.push_back(Attempt(trace.attempts.front()));
         return true;
       }},
  };
}

// ── When a worker runs what ────────────────────────────────────────────────────────────────────────

inline std::vector<Property> PolicyProperties() {
  return {
      {"NoWorkerIdlesWhileAnythingWaits",
       [](Scenario& scenario, Random&) { scenario.options.policy.kind = PolicyKind::kBusy; },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return EachTurn(trace, "left work undone", [&](const Turn& turn) {
           const auto action = turn.decision.action;
           if (action == Decision::Action::kWait) return true;
           return action == Decision::Action::kIdle && !look.Waiting(turn.step).empty();
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(
             trace.turns,
             [](const Turn& turn) { return turn.decision.action == Decision::Action::kRun; },
             [](Turn& turn) { turn.decision.action = Decision::Action::kIdle; });
       }},
      {"AnIdleWorkerTakesARequestAtOnce",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.policy.kind = PolicyKind::kBusy;
         // Nor can one that comes at the same moment take its place.
         for (Arrival& arrival : scenario.arrivals) {
           arrival.priority = 0;
           arrival.allowed = kNever;
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         return EachSeen(trace, "waited for an idle worker", [&](const Seen& seen, size_t) {
           return Succeeded(seen) && seen.waiting == 0 && seen.busy < scenario.options.workers &&
                  seen.started != seen.submitted;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(
             trace.seen,
             [](const Seen& seen) { return Succeeded(seen) && seen.waiting + seen.busy == 0; },
             [](Seen& seen) { ++seen.started; });
       }},
      {"TheTimerHoldsABatchSoLongAndNoLonger",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.policy.kind = PolicyKind::kTimer;
         scenario.options.policy.max_delay += 1000;
         for (Arrival& arrival : scenario.arrivals) arrival.allowed = kNever;
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return EachTurn(trace, "was early or late", [&](const Turn& turn) {
           const auto waiting = look.Waiting(turn.step);
           if (waiting.empty() || turn.closed) return false;
           Nanos oldest = kNever;
           for (const size_t id : waiting) oldest = std::min(oldest, trace.seen[id].submitted);
           const Nanos due = oldest + scenario.options.policy.max_delay;
           const bool full = look.RowsOf(waiting) >= scenario.options.policy.max_rows;
           const bool runs = turn.decision.action == Decision::Action::kRun;
           return runs != (full || turn.at >= due) || (!runs && turn.decision.until != due);
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(
             trace.turns,
             [](const Turn& turn) { return turn.decision.action == Decision::Action::kWait; },
             [](Turn& turn) { turn.decision.action = Decision::Action::kRun; });
       }},
      {"ABatchIsHeldBackNoLongerThanItsWindow",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.policy = {PolicyKind::kExcess, 16, 0};
         // Clients that come back as soon as they have a result, so that something is held back.
         const auto clients = static_cast<size_t>(random.Between(2, 6));
         scenario.arrivals = ClosedLoop(clients, 10 * clients, scenario, random);
       },
       [](const Scenario&, const Trace& trace) {
         return EachTurn(trace, "waits longer than a fifth of the last run", [&](const Turn& turn) {
           if (turn.decision.action != Decision::Action::kWait) return false;
           Nanos latest = 0;
           for (const Attempt& attempt : trace.attempts) {
             if (attempt.ended > turn.at) continue;
             latest = std::max(latest, attempt.ended + (attempt.ended - attempt.began) / 5);
           }
           return turn.decision.until > latest;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(
             trace.turns,
             [](const Turn& turn) { return turn.decision.action == Decision::Action::kWait; },
             [](Turn& turn) { turn.decision.until += 1'000'000'000; });
       }},
      {"TheEarliestDeadlineGoesFirst",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.pending.aging = kNever / 4;
         for (Arrival& arrival : scenario.arrivals) arrival.priority = 0;
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return InOrder(scenario, trace, [&](size_t id) {
           return std::min(look.Deadline(id),
                           trace.seen[id].submitted + scenario.options.pending.patience);
         });
       },
       Overtake},
      {"TheMostUrgentLevelGoesFirst",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.pending.aging = kNever / 4;
       },
       [](const Scenario& scenario, const Trace& trace) {
         return InOrder(scenario, trace, [&](size_t id) { return scenario.arrivals[id].priority; });
       },
       Overtake},
      {"EqualsAreServedInTheOrderTheyCame",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         for (Arrival& arrival : scenario.arrivals) {
           arrival.priority = 0;
           arrival.allowed = kNever;
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         return InOrder(scenario, trace, [&](size_t id) { return trace.seen[id].submit_step; });
       },
       Overtake},
      {"AFullQueueRunsFullBatches",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.policy.max_rows = random.Between(1, 4);
         scenario.options.max_queue = 1000;
         for (Arrival& arrival : scenario.arrivals) {
           arrival.rows = 1;
           arrival.at = 1'000'000 + (arrival.at - 1'000'000) / 4;
           arrival.allowed = random.Between(1, 10) * scenario.CostOf(2);
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return EachTurn(trace, "shrank a batch for one that was too late", [&](const Turn& turn) {
           const auto full = static_cast<size_t>(scenario.options.policy.max_rows);
           const size_t taken = look.Taken(turn.step).size();
           return taken > 0 && taken < full && taken + look.LeftBehind(turn.step).size() >= full;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         // As if one more had fitted.
         const Look look(scenario, trace);
         for (const Turn& turn : trace.turns) {
           const size_t taken = look.Taken(turn.step).size();
           if (taken == 0 || look.LeftBehind(turn.step).empty()) continue;
           scenario.options.policy.max_rows = static_cast<int64_t>(taken) + 1;
           return true;
         }
         return false;
       }},
      {"AgeEndsStarvation",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         const Nanos run = scenario.CostOf(1);
         scenario.options.policy.max_rows = random.Between(1, 2);
         scenario.options.pending.aging = run * random.Between(1, 3);
         scenario.options.pending.patience = run * random.Between(1, 4);
         for (Arrival& arrival : scenario.arrivals) arrival.priority = random.OneIn(4) ? 3 : 0;
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         const PendingOptions& pending = scenario.options.pending;
         const char* const what = "was overtaken by one that came much later";
         return EachSeen(trace, what, [&](const Seen& seen, size_t id) {
           if (!look.Ran(id) || look.Deadline(id) != kNever) return false;
           const Nanos risen = scenario.arrivals[id].priority * pending.aging + pending.aging / 4;
           const Nanos bound = seen.submitted + std::max(risen, pending.patience);
           for (size_t other = 0; other < trace.seen.size(); ++other) {
             if (trace.seen[other].submitted > bound && look.Ran(other) &&
                 trace.seen[other].left_step < seen.left_step) {
               return true;
             }
           }
           return false;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         // The last takes the place of the first, however long the first has waited.
         const Look look(scenario, trace);
         for (size_t id = 0; id < trace.seen.size(); ++id) {
           Seen& last = trace.seen.back();
           Seen& seen = trace.seen[id];
           if (!look.Ran(id) || !look.Ran(trace.seen.size() - 1)) continue;
           if (look.Deadline(id) != kNever || last.left_step <= seen.left_step) continue;
           seen.submitted = 0;
           std::swap(seen.left_step, last.left_step);
           return true;
         }
         return false;
       }},
  };
}

}  // namespace millrace::test
