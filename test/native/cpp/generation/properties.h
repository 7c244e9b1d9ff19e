// What must hold of every run of a generator, whatever comes, and how each property would be broken.
#pragma once

#include <map>
#include <set>

#include "generation/property.h"

namespace millrace::test {

using Scene = GenerationScenario;
using Seen = SeenGeneration;

// The first request of which `wrong` is true makes the fault.
template <class Wrong>
std::string EachGeneration(const GenerationTrace& trace, const char* what, Wrong wrong) {
  for (size_t id = 0; id < trace.seen.size(); ++id) {
    if (trace.seen[id].accepted() && wrong(trace.seen[id], id)) {
      return "request " + std::to_string(id) + " " + what;
    }
  }
  return {};
}

template <class Wrong>
std::string EachRun(const GenerationTrace& trace, const char* what, Wrong wrong) {
  for (size_t i = 0; i < trace.runs.size(); ++i) {
    if (wrong(trace.runs[i], i)) return "run " + std::to_string(i) + " " + what;
  }
  return {};
}

// Changes the first element that will do.
template <class Elements, class Fits, class Change>
bool SpoilOne(Elements& elements, Fits fits, Change change) {
  const auto found = std::ranges::find_if(elements, fits);
  if (found == elements.end()) return false;
  change(*found);
  return true;
}

// A run that is not one of tokens.
inline bool IsPrefill(const SeenRun& run) { return run.encoder || run.tokens > 1; }

// The run that completes a request's prefill, or -1 if it had none.
inline std::ptrdiff_t LastPrefill(const GenerationTrace& trace, const Seen& seen) {
  std::ptrdiff_t last = -1;
  for (const size_t run : seen.runs) {
    if (IsPrefill(trace.runs[run])) last = static_cast<std::ptrdiff_t>(run);
  }
  return last;
}

// Nobody waits for rows or memory, nothing fails, and every request is as urgent as the others and needs a prefill.
inline void Unlimited(Scene& scenario, Random&) {
  scenario.options.max_rows = 64;
  scenario.options.max_queue = 1000;
  scenario.options.cache_bytes = int64_t{1} << 40;
  scenario.failing.clear();
  scenario.close_at = kNever;
  for (GenerationArrival& arrival : scenario.arrivals) {
    arrival.allowed = arrival.cancel_after = kNever;
    arrival.priority = 0;
    arrival.prompt += arrival.prompt == 1 ? 1 : 0;
  }
}

// ── Everything comes back, once and right ────────────────────────────────────────────────────────

inline std::vector<GenerationProperty> OutcomeProperties() {
  return {
      {"EveryAcceptedRequestFinishesExactlyOnce", nullptr,
       [](const Scene&, const GenerationTrace& trace) {
         for (const Seen& seen : trace.seen) {
           if (!seen.accepted() && seen.finishes > 0) return std::string("a refused request came back");
         }
         return EachGeneration(trace, "did not come back once",
                               [](const Seen& seen, size_t) { return seen.finishes != 1; });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(trace.seen, [](const Seen& seen) { return seen.accepted(); },
                         [](Seen& seen) { seen.finishes = 2; });
       }},
      {"TokensDoNotDependOnWhatSharesTheRuns", nullptr,
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachGeneration(trace, "has other tokens than alone", [&](const Seen& seen, size_t id) {
           const Outcome alone = AloneIn(scenario, id);
           if (seen.completed()) return seen.outcome != alone;
           const auto& tokens = seen.outcome.tokens;
           return tokens.size() > alone.tokens.size() ||
                  !std::equal(tokens.begin(), tokens.end(), alone.tokens.begin());
         });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(
             trace.seen, [](const Seen& seen) { return !seen.outcome.tokens.empty(); },
             [](Seen& seen) { seen.outcome.tokens.back() ^= 1; });
       }},
      {"AStreamShowsTheTokensOfTheResult", nullptr,
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachGeneration(trace, "was shown other tokens", [&](const Seen& seen, size_t id) {
           const GenerationArrival& arrival = scenario.arrivals[id];
           if (!arrival.stream || arrival.beams > 1) return !seen.shown.empty();
           return seen.shown != seen.outcome.tokens;
         });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(trace.seen, [](const Seen& seen) { return !seen.shown.empty(); },
                         [](Seen& seen) { seen.shown.pop_back(); });
       }},
      {"SinksAreFlushedBeforeTheNextRun", nullptr,
       [](const Scene&, const GenerationTrace& trace) {
         return std::string(trace.flushes_missing == 0 ? "" : "a sink was not flushed");
       },
       [](Scene&, GenerationTrace& trace) {
         trace.flushes_missing = 1;
         return true;
       }},
      {"CountersAddUpAtAnyTime", nullptr,
       [](const Scene&, const GenerationTrace& trace) {
         std::map<Code, uint64_t> codes;
         uint64_t refused = 0;
         uint64_t rows = 0;
         for (const Seen& seen : trace.seen) ++(seen.accepted() ? codes[seen.code] : refused);
         for (const SeenRun& run : trace.runs) rows += run.ids.size();
         const GeneratorStats& stats = trace.stats;
         const bool right = trace.balanced && stats.completed == codes[Code::kOk] &&
                            stats.cancelled == codes[Code::kCancelled] &&
                            stats.expired == codes[Code::kDeadlineExceeded] &&
                            stats.failed == codes[Code::kInternal] && stats.rejected == refused &&
                            stats.queued == 0 && stats.running == 0 && stats.rows == rows &&
                            stats.steps + stats.encoder_runs == trace.runs.size();
         return std::string(right ? "" : "the counters do not say what happened");
       },
       [](Scene&, GenerationTrace& trace) {
         ++trace.stats.completed;
         return true;
       }},
      {"MemoryStaysWithinTheBudget",
       [](Scene& scenario, Random& random) {
         scenario.options.cache_bytes = random.Between(1'000, 20'000);
         scenario.options.max_rows = 32;
         if (random.OneIn(2)) return;
         // Sequences that are about as long as they can become from the start, so that memory is as full as it may be.
         const auto prompt = static_cast<size_t>(random.Between(20, 40));
         for (GenerationArrival& arrival : scenario.arrivals) {
           arrival.at = 1'000'000 + (arrival.at - 1'000'000) / 4;
           arrival.prompt = prompt;
           arrival.new_tokens = random.Between(1, 4);
         }
       },
       [](const Scene& scenario, const GenerationTrace& trace) {
         const int64_t most = scenario.options.cache_bytes;
         if (trace.peak > most) {
           return "the decoder had " + std::to_string(trace.peak) + " bytes of " + std::to_string(most);
         }
         const bool right = trace.left == 0 && trace.stats.cache_bytes == 0 &&
                            trace.stats.cache_bytes_peak <= most;
         return std::string(right ? "" : "the account of memory is wrong");
       },
       [](Scene& scenario, GenerationTrace& trace) {
         scenario.options.cache_bytes = trace.peak - 1;
         return trace.peak > 0;
       }},
  };
}

// ── What shares a run ────────────────────────────────────────────────────────────────────────────

inline std::vector<GenerationProperty> RunProperties() {
  return {
      {"NoRunHasMoreThanMaxRows", nullptr,
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachRun(trace, "had too many rows", [&](const SeenRun& run, size_t) {
           return run.size() > static_cast<int64_t>(scenario.options.max_rows);
         });
       },
       [](Scene& scenario, GenerationTrace& trace) {
         scenario.options.max_rows = 0;
         return !trace.runs.empty();
       }},
      {"ARequestRunsWithAllItsRows", nullptr,
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachRun(trace, "had some rows of a request only", [&](const SeenRun& run, size_t) {
           return std::ranges::any_of(run.ids, [&](size_t id) {
             const auto rows = std::ranges::count(run.ids, id);
             return rows != 1 && rows != scenario.arrivals[id].beams;
           });
         });
       },
       [](Scene& scenario, GenerationTrace& trace) {
         return SpoilOne(
             trace.runs,
             [&](const SeenRun& run) { return scenario.arrivals[run.ids.back()].beams != 2; },
             [](SeenRun& run) {
               const size_t id = run.ids.back();
               std::erase(run.ids, id);
               run.ids.insert(run.ids.end(), 2, id);
             });
       }},
      {"PrefillsAreBounded",
       [](Scene& scenario, Random& random) {
         scenario.options.max_prefill_tokens = random.Between(4, 40);
       },
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachRun(trace, "had too many tokens", [&](const SeenRun& run, size_t) {
           if (!IsPrefill(run)) return false;
           if (run.size() == 1 && !scenario.facts.chunks) return false;
           return run.size() * run.tokens > scenario.options.max_prefill_tokens;
         });
       },
       [](Scene& scenario, GenerationTrace& trace) {
         return SpoilOne(
             trace.runs,
             [&](const SeenRun& run) {
               return IsPrefill(run) && (run.size() > 1 || scenario.facts.chunks);
             },
             [&](SeenRun& run) { run.tokens = scenario.options.max_prefill_tokens + 1; });
       }},
      {"OnlyTheRequestsOfAFailedRunFail",
       [](Scene& scenario, Random& random) {
         for (int i = 0; i < 3; ++i) scenario.failing.insert(random.Below(20));
       },
       [](const Scene&, const GenerationTrace& trace) {
         return EachGeneration(trace, "failed for another, or not", [&](const Seen& seen, size_t) {
           const bool failed = std::ranges::any_of(
               seen.runs, [&](size_t run) { return trace.runs[run].failed; });
           return failed != (seen.code == Code::kInternal);
         });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(trace.seen, [](const Seen& seen) { return seen.completed(); },
                         [](Seen& seen) { seen.code = Code::kInternal; });
       }},
      {"WhoeverIsCancelledOrLateHasNoFurtherRun",
       [](Scene& scenario, Random& random) {
         for (GenerationArrival& arrival : scenario.arrivals) {
           if (random.OneIn(3)) arrival.cancel_after = random.Between(0, 20'000'000);
           if (random.OneIn(3)) arrival.allowed = random.Between(1, 20'000'000);
         }
       },
       [](const Scene&, const GenerationTrace& trace) {
         return EachGeneration(trace, "ran although it was over", [&](const Seen& seen, size_t) {
           return std::ranges::any_of(seen.runs, [&](size_t number) {
             const SeenRun& run = trace.runs[number];
             const bool cancelled = seen.cancel_step != 0 && run.step > seen.cancel_step;
             return cancelled || run.began >= seen.deadline;
           });
         });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(trace.seen, [](const Seen& seen) { return !seen.runs.empty(); },
                         [](Seen& seen) { seen.deadline = 1; });
       }},
      {"NothingWaitsWhileNothingRuns", nullptr,
       [](const Scene&, const GenerationTrace& trace) {
         return EachRun(trace, "began late", [&](const SeenRun& run, size_t number) {
           const Nanos before = number == 0 ? 0 : trace.runs[number - 1].ended;
           return run.began > before && std::ranges::any_of(trace.seen, [&](const Seen& seen) {
             return seen.accepted() && seen.submitted < run.began && seen.finished >= run.began;
           });
         });
       },
       [](Scene&, GenerationTrace& trace) {
         if (trace.runs.size() < 2) return false;
         for (size_t i = 1; i < trace.runs.size(); ++i) {
           if (trace.runs[i].began != trace.runs[i - 1].ended) continue;
           --trace.runs[i - 1].ended;
           return true;
         }
         return false;
       }},
  };
}

// ── Who waits for whom ───────────────────────────────────────────────────────────────────────────

// The runs between a submission and the first run of a request.
struct Before {
  size_t token_runs = 0;
  size_t prefills = 0;
};

inline Before BeforeFirst(const GenerationTrace& trace, const Seen& seen) {
  Before before;
  for (size_t i = 0; i < seen.runs.front(); ++i) {
    if (trace.runs[i].step < seen.submit_step) continue;
    ++(IsPrefill(trace.runs[i]) ? before.prefills : before.token_runs);
  }
  return before;
}

// How many requests were alive at some time between two runs.
inline size_t AliveBetween(const GenerationTrace& trace, size_t first, size_t last) {
  return static_cast<size_t>(std::ranges::count_if(trace.seen, [&](const Seen& seen) {
    return seen.accepted() && seen.submitted <= trace.runs[last].began &&
           seen.finished >= trace.runs[first].began;
  }));
}

// Whether a request that has its first token waits too long between two of its runs.
inline bool Starves(const Scene& scenario, const GenerationTrace& trace, const Seen& seen) {
  const std::ptrdiff_t prefill = LastPrefill(trace, seen);
  for (size_t i = 1; i < seen.runs.size(); ++i) {
    const auto [first, last] = std::pair(seen.runs[i - 1], seen.runs[i]);
    if (static_cast<std::ptrdiff_t>(first) < prefill) continue;
    if (scenario.facts.encoder_decoder && static_cast<std::ptrdiff_t>(first) == prefill) continue;
    size_t token_runs = 0;
    size_t in_a_row = 0;
    int64_t tokens = 0;
    for (size_t run = first + 1; run < last; ++run) {
      const SeenRun& other = trace.runs[run];
      if (!IsPrefill(other)) {
        ++token_runs;
        in_a_row = 0;
        tokens = 0;
        continue;
      }
      tokens += other.size() * other.tokens;
      if (++in_a_row > kMostPrefills) return true;
      if (in_a_row > 1 && tokens > scenario.options.max_prefill_tokens) return true;
    }
    const size_t most =
        scenario.facts.mixed_lengths ? 0 : kTurnEvery * AliveBetween(trace, first, last);
    if (token_runs > most) return true;
  }
  return false;
}

inline std::vector<GenerationProperty> OrderProperties() {
  return {
      {"AJoinerIsComputedAfterAtMostOneStep", Unlimited,
       [](const Scene&, const GenerationTrace& trace) {
         const char* const what = "waited for more than the prefills before it and a step";
         return EachGeneration(trace, what, [&](const Seen& seen, size_t) {
           const Before before = BeforeFirst(trace, seen);
           return before.token_runs > before.prefills + 1;
         });
       },
       [](Scene&, GenerationTrace& trace) {
         for (Seen& seen : trace.seen) {
           // As if its first runs had not been its own.
           while (seen.accepted() && seen.runs.size() > 1) {
             seen.runs.erase(seen.runs.begin());
             const Before before = BeforeFirst(trace, seen);
             if (before.token_runs > before.prefills + 1) return true;
           }
         }
         return false;
       }},
      {"TheFirstThatNeedsAPrefillIsInTheNext", Unlimited,
       [](const Scene&, const GenerationTrace& trace) {
         return EachRun(trace, "left out the first request", [&](const SeenRun& run, size_t number) {
           if (!IsPrefill(run)) return false;
           for (size_t id = 0; id < trace.seen.size(); ++id) {
             const Seen& seen = trace.seen[id];
             const bool needs = seen.accepted() && seen.submit_step < run.step &&
                                LastPrefill(trace, seen) >= static_cast<std::ptrdiff_t>(number);
             if (needs) return !run.Has(id);
           }
           return true;
         });
       },
       [](Scene&, GenerationTrace& trace) {
         return SpoilOne(trace.runs, [](const SeenRun& run) { return IsPrefill(run); },
                         [](SeenRun& run) { run.ids = {kMostArrivals}; });
       }},
      {"RequestsThatHaveStartedAreNotStarved",
       [](Scene& scenario, Random& random) {
         Unlimited(scenario, random);
         scenario.options.max_prefill_tokens = random.Between(8, 100);
         for (GenerationArrival& arrival : scenario.arrivals) arrival.new_tokens += 10;
       },
       [](const Scene& scenario, const GenerationTrace& trace) {
         return EachGeneration(trace, "waited too long between two runs", [&](const Seen& seen, size_t) {
           return Starves(scenario, trace, seen);
         });
       },
       [](Scene& scenario, GenerationTrace& trace) {
         for (Seen& seen : trace.seen) {
           while (seen.accepted() && seen.runs.size() > 2) {
             // As if runs between its last two had not been its own.
             seen.runs.erase(seen.runs.end() - 2);
             if (Starves(scenario, trace, seen)) return true;
           }
         }
         return false;
       }},
      {"EqualsStartInTheOrderTheyCame",
       [](Scene& scenario, Random& random) {
         const GeneratorOptions limits = scenario.options;
         Unlimited(scenario, random);
         scenario.options.max_rows = std::max(4u, limits.max_rows);
         scenario.options.cache_bytes = random.Between(5'000, 50'000);
         for (GenerationArrival& arrival : scenario.arrivals) arrival.prompt = 4;
       },
       [](const Scene&, const GenerationTrace& trace) {
         size_t latest = 0;
         return EachGeneration(trace, "started before an earlier one", [&](const Seen& seen, size_t) {
           const size_t first = seen.runs.front();
           return first < std::exchange(latest, std::max(latest, first));
         });
       },
       [](Scene&, GenerationTrace& trace) {
         for (size_t id = 1; id < trace.seen.size(); ++id) {
           Seen& before = trace.seen[id - 1];
           Seen& seen = trace.seen[id];
           if (!before.accepted() || !seen.accepted()) continue;
           if (before.runs.front() == seen.runs.front()) continue;
           std::swap(before.runs, seen.runs);
           return true;
         }
         return false;
       }},
      {"WithoutMixedLengthsAShortRequestCatchesUp",
       [](Scene& scenario, Random& random) {
         Unlimited(scenario, random);
         scenario.facts.encoder_decoder = true;
         scenario.facts.encoder_bytes = 10;
         scenario.facts.mixed_lengths = scenario.facts.chunks = false;
         scenario.arrivals.resize(2, scenario.arrivals.front());
         for (GenerationArrival& arrival : scenario.arrivals) {
           arrival.new_tokens = 80;
           arrival.ends = arrival.sample = false;
           arrival.beams = 1;
         }
         // The larger a group is, the nearer must another be for which it waits.
         scenario.arrivals[0].beams = static_cast<int32_t>(random.Between(1, 3));
         scenario.arrivals[1].at = scenario.arrivals[0].at +
                                   random.Between(1, kCatchUp / 4) * scenario.CostOf(1, 1);
       },
       [](const Scene&, const GenerationTrace& trace) {
         if (trace.seen.size() < 2) return std::string();
         const Seen& late = trace.seen[1];
         if (!late.accepted() || late.runs.size() < 2) return std::string("the late request did not run");
         const size_t first = late.runs[1];
         const auto ahead = static_cast<size_t>(std::ranges::count_if(
             trace.seen[0].runs, [&](size_t run) { return run < first; }));
         const size_t bound = ahead * kTurnEvery / (kTurnEvery - 2) + kTurnEvery;
         for (size_t i = first; i < trace.runs.size() && i <= first + bound; ++i) {
           if (trace.runs[i].Has(0) && trace.runs[i].Has(1)) return std::string();
         }
         return std::string("the requests did not meet in time");
       },
       [](Scene&, GenerationTrace& trace) {
         for (SeenRun& run : trace.runs) run.ids.resize(1);
         return true;
       }},
  };
}

inline std::vector<GenerationProperty> AllGenerationProperties() {
  std::vector<GenerationProperty> all;
  for (auto&& some : {OutcomeProperties(), RunProperties(), OrderProperties()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace millrace::test
