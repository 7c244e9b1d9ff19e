// As properties.h: deadlines, cancellation, refusal, the end, and runs that are cut short.
#pragma once

#include "batching/properties.h"

namespace millrace::test {

// All requests have deadlines and one level, and runs cost what is expected of them.
inline void WithDeadlines(Scenario& scenario, Random& random) {
  Plain(scenario, random);
  scenario.options.pending.aging = kNever / 4;
  const Nanos run = scenario.CostOf(1);
  for (Arrival& arrival : scenario.arrivals) {
    arrival.priority = 0;
    arrival.allowed = random.Between(run / 2, 8 * run);
  }
}

inline std::vector<Property> DeadlineProperties() {
  return {
      {"WhatRunsMeetsItsDeadline", WithDeadlines,
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         return EachSeen(trace, "ran and was late", [&](const Seen& seen, size_t id) {
           const Nanos slack = Slack(seen.finished - seen.started);
           return look.Ran(id) && seen.finished > look.Deadline(id) + slack;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, Succeeded, [](Seen& seen) { seen.finished = kNever / 2; });
       }},
      {"OnlyTheHopelessAreDropped", WithDeadlines,
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         const int64_t full = scenario.options.policy.max_rows;
         const char* const what = "was dropped although it could make it";
         return EachSeen(trace, what, [&](const Seen& seen, size_t id) {
           if (!HasResponse(seen) || seen.code != Code::kDeadlineExceeded) return false;
           const int64_t own = scenario.arrivals[id].rows;
           const bool crowded = look.RowsOf(look.Waiting(seen.left_step)) >= full;
           const Nanos cost = scenario.CostOf(crowded ? std::max(own, full) : own);
           return seen.started + cost + Slack(cost) < look.Deadline(id);
         });
       },
       [](Scenario& scenario, Trace& trace) {
         for (size_t id = 0; id < trace.seen.size(); ++id) {
           const Seen& seen = trace.seen[id];
           if (!HasResponse(seen) || seen.code != Code::kDeadlineExceeded) continue;
           scenario.arrivals[id].allowed = kNever / 4;
           return true;
         }
         return false;
       }},
      {"NothingPastItsDeadlineIsRun",
       [](Scenario& scenario, Random& random) {
         scenario.known = random.OneIn(2);
         for (Arrival& arrival : scenario.arrivals) {
           arrival.allowed = random.Between(1, 4 * scenario.CostOf(1));
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         std::set<size_t> turns;
         return EachAttempt(trace, "held a request that was late already", [&](const Attempt& attempt) {
           // Halves of a batch that failed come later.
           if (!turns.insert(attempt.turn_step).second) return false;
           return std::ranges::any_of(
               attempt.ids, [&](size_t id) { return look.Deadline(id) <= attempt.began; });
         });
       },
       [](Scenario& scenario, Trace& trace) {
         return SpoilFirst(trace.attempts, [](const Attempt&) { return true; }, [&](Attempt& attempt) {
           scenario.arrivals[attempt.ids.front()].allowed = 0;
         });
       }},
      {"TheCancelledAreNotRun",
       [](Scenario& scenario, Random& random) {
         for (Arrival& arrival : scenario.arrivals) {
           if (random.OneIn(2)) arrival.cancel_after = random.Between(0, 3 * scenario.fixed);
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Look look(scenario, trace);
         const char* const what = "was run although cancelled in time, or the reverse";
         return EachSeen(trace, what, [&](const Seen& seen, size_t id) {
           if (!HasResponse(seen)) return false;
           const bool in_time = seen.cancel_step != 0 && seen.cancel_step < seen.left_step;
           return in_time ? seen.code != Code::kCancelled || look.Ran(id)
                          : seen.code == Code::kCancelled;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, Succeeded, [](Seen& seen) { seen.code = Code::kCancelled; });
       }},
  };
}

inline std::vector<Property> AdmissionProperties() {
  return {
      {"TheQueueIsBounded",
       [](Scenario& scenario, Random& random) {
         scenario.options.max_queue = static_cast<uint32_t>(random.Between(1, 4));
         for (Arrival& arrival : scenario.arrivals) arrival.allowed = kNever;
       },
       [](const Scenario& scenario, const Trace& trace) {
         const char* const what = "was refused with room or let in without";
         return EachSeen(trace, what, [&](const Seen& seen, size_t) {
           const bool full = seen.waiting >= scenario.options.max_queue;
           return seen.accepted() ? full : seen.submit == Code::kUnavailable && !full;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         return SpoilFirst(trace.seen, [](const Seen& seen) { return seen.accepted(); },
                           [&](Seen& seen) { seen.waiting = scenario.options.max_queue; });
       }},
      {"ADeadlineIsRefusedOnlyWhenItCannotBeMet", WithDeadlines,
       [](const Scenario& scenario, const Trace& trace) {
         const char* const what = "was refused for its deadline in vain, or let in";
         return EachSeen(trace, what, [&](const Seen& seen, size_t id) {
           const Nanos alone = scenario.CostOf(scenario.arrivals[id].rows);
           const Nanos allowed = scenario.arrivals[id].allowed;
           if (seen.accepted()) return allowed < alone - Slack(alone);
           if (seen.submit == Code::kDeadlineExceeded) return allowed > alone + Slack(alone);
           return seen.submit == Code::kUnavailable && seen.busy < scenario.options.workers &&
                  seen.waiting == 0;
         });
       },
       [](Scenario& scenario, Trace& trace) {
         for (size_t id = 0; id < trace.seen.size(); ++id) {
           if (!trace.seen[id].accepted()) continue;
           scenario.arrivals[id].allowed = 1;
           return true;
         }
         return false;
       }},
      {"OnlyAnIdleBatcherRunsInline",
       [](Scenario& scenario, Random& random) {
         scenario.inline_ = true;
         scenario.known = true;
         scenario.options.inline_limit = random.Between(scenario.fixed, 3 * scenario.fixed);
       },
       [](const Scenario& scenario, const Trace& trace) {
         return EachSeen(trace, "was run inline beside others", [&](const Seen& seen, size_t id) {
           if (!seen.inlined) return false;
           const Nanos alone = scenario.CostOf(scenario.arrivals[id].rows);
           const bool closed = trace.closed_step != 0 && trace.closed_step < seen.submit_step;
           return closed || seen.waiting + seen.busy > 0 || seen.responses > 0 ||
                  alone > scenario.options.inline_limit + Slack(alone);
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, [](const Seen& seen) { return seen.inlined; },
                           [](Seen& seen) { seen.busy = 1; });
       }},
      {"ClosingRefusesTheNewAndFinishesTheOld",
       [](Scenario& scenario, Random& random) {
         scenario.close_at = random.Between(1'000'000, scenario.arrivals.back().at);
       },
       [](const Scenario&, const Trace& trace) {
         const char* const what = "was let in after the close, or refused before";
         return EachSeen(trace, what, [&](const Seen& seen, size_t) {
           const bool after = seen.submit_step > trace.closed_step;
           const bool refused = seen.submit == Code::kFailedPrecondition;
           // A full queue is reported first.
           return after ? seen.accepted() : refused || (seen.accepted() && seen.responses != 1);
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, [](const Seen& seen) { return seen.accepted(); },
                           [](Seen& seen) { seen.submit = Code::kFailedPrecondition; });
       }},
      {"NothingIsHeldBackAfterTheClose",
       [](Scenario& scenario, Random& random) {
         scenario.options.policy.kind = PolicyKind::kTimer;
         scenario.options.policy.max_delay = 1'000'000'000'000;
         scenario.close_at = random.Between(1'000'000, scenario.arrivals.back().at);
       },
       [](const Scenario&, const Trace& trace) {
         return EachTurn(trace, "held a batch back", [](const Turn& turn) {
           return turn.closed && turn.decision.action == Decision::Action::kWait;
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.turns, [](const Turn& turn) { return turn.closed; },
                           [](Turn& turn) { turn.decision.action = Decision::Action::kWait; });
       }},
      {"ALongRunGetsOneEarlyResponse",
       [](Scenario& scenario, Random& random) {
         Plain(scenario, random);
         scenario.options.run_limit = 4 * scenario.CostOf(16);
         for (Arrival& arrival : scenario.arrivals) {
           if (random.OneIn(8)) arrival.slow = 3 * scenario.options.run_limit;
         }
       },
       [](const Scenario& scenario, const Trace& trace) {
         const Nanos limit = scenario.options.run_limit;
         if (trace.stats.stuck_instances != 0) return std::string("a worker is stuck for ever");
         return EachAttempt(trace, "was not given up once and in time", [&](const Attempt& attempt) {
           const bool slow = attempt.ended - attempt.began > limit;
           return std::ranges::any_of(attempt.ids, [&](size_t id) {
             const Seen& seen = trace.seen[id];
             if (!slow) return seen.early != 0;
             return seen.early != 1 || seen.early_at > attempt.began + limit + limit / 2 ||
                    seen.responses != 1 || seen.code != Code::kDeadlineExceeded;
           });
         });
       },
       [](Scenario&, Trace& trace) {
         return SpoilFirst(trace.seen, [](const Seen& seen) { return seen.early == 1; },
                           [](Seen& seen) { seen.early = 2; });
       }},
      {"ASeedIsOneTrace", nullptr,
       [](const Scenario& scenario, const Trace& trace) {
         const bool same = Simulation::Of(scenario).digest == trace.digest;
         return std::string(same ? "" : "the same seed shows something else");
       },
       [](Scenario&, Trace& trace) {
         ++trace.digest;
         return true;
       }},
  };
}

inline const std::vector<Property>& Properties() {
  static const std::vector<Property> all = [] {
    std::vector<Property> properties;
    for (const auto& some : {ConservationProperties(), BatchProperties(), PolicyProperties(),
                             DeadlineProperties(), AdmissionProperties()}) {
      properties.insert(properties.end(), some.begin(), some.end());
    }
    return properties;
  }();
  return all;
}

}  // namespace millrace::test
