// Properties: what must hold of every run of a simulation, the random scenarios they are tried on, and
// the search for the smallest scenario that breaks one.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/simulation.h"

namespace millrace::test {

struct Property {
  const char* name;
  // Changes a scenario that is as mixed as can be to one that says something about the property.
  std::function<void(Scenario&, Random&)> narrow;
  // Says what is wrong with a run, or nothing.
  std::function<std::string(const Scenario&, const Trace&)> check;
  // Makes a run look as if the property had been broken; false if the run gives no occasion. Without
  // it a property that cannot fail would pass unseen.
  std::function<bool(Scenario&, Trace&)> spoil;
};

// A scenario with everything in it: some workers, one of the policies, bursts, deadlines, levels,
// cancellations, poison, two widths, a close at any time.
inline Scenario MixedScenario(uint64_t seed, Random& random) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.per_row = random.Of<Nanos>({10'000, 100'000, 300'000});
  const Nanos run = scenario.CostOf(1);
  BatcherOptions& options = scenario.options;
  options.workers = static_cast<uint32_t>(random.Between(1, 3));
  options.max_queue = random.Of({2u, 8u, 1000u});
  options.policy.kind = random.Of({PolicyKind::kBusy, PolicyKind::kTimer, PolicyKind::kExcess});
  options.policy.max_rows = random.Of<int64_t>({1, 2, 4, 8, 16});
  options.policy.max_delay = random.Between(0, 3 * run);
  options.pending.batched = true;
  options.pending.patience = 50 * run;
  options.pending.aging = random.Of<Nanos>({4 * run, 1000 * run});
  scenario.known = !random.OneIn(4);
  const double gap = static_cast<double>(run) * random.Of({0.05, 0.3, 1.0, 3.0});
  const auto count = random.Between(1, 30);
  Nanos at = 1'000'000;
  for (int64_t i = 0; i < count; ++i) {
    // Some come together.
    if (!random.OneIn(4)) at += random.Exponential(gap);
    Arrival& arrival = scenario.arrivals.emplace_back();
    arrival.at = at;
    arrival.rows = random.OneIn(2) ? 1 : random.Between(1, options.policy.max_rows + 1);
    arrival.width = random.OneIn(4) ? 2 : 1;
    arrival.priority = static_cast<uint8_t>(random.Below(3));
    if (random.OneIn(3)) arrival.allowed = random.Between(1, 10 * run);
    if (random.OneIn(8)) arrival.cancel_after = random.Between(0, 4 * run);
    arrival.poison = random.OneIn(16);
  }
  if (random.OneIn(4)) scenario.close_at = random.Between(1'000'000, at);
  return scenario;
}

// A number of clients that send a request as soon as they have the result of the one before. They begin one after another.
inline std::vector<Arrival> ClosedLoop(size_t clients, size_t count, const Scenario& scenario,
                                       Random& random) {
  std::vector<Arrival> arrivals;
  Nanos at = 1'000'000;
  for (size_t i = 0; i < count; ++i) {
    if (i < clients) at += random.Between(1, scenario.fixed / 2);
    arrivals.push_back({.at = at, .back = clients, .think = random.Between(1, scenario.fixed / 10)});
  }
  return arrivals;
}

inline Scenario ScenarioOf(const Property& property, uint64_t seed) {
  // Every property has scenarios of its own.
  const uint64_t own = std::hash<std::string>()(property.name);
  Random random(seed * 0x9e3779b97f4a7c15 + own);
  Scenario scenario = MixedScenario(seed, random);
  if (property.narrow) property.narrow(scenario, random);
  return scenario;
}

inline std::string FaultOf(const Property& property, const Scenario& scenario) {
  const Trace trace = Simulation::Of(scenario);
  if (!trace.ended) return "somebody waits for ever";
  return property.check(scenario, trace);
}

// Leaves out of a scenario that breaks the property what is not needed for that: requests first, then
// what makes one unlike another.
inline Scenario Shrink(const Property& property, Scenario scenario) {
  const auto keep_if_broken = [&](Scenario smaller) {
    if (FaultOf(property, smaller).empty()) return false;
    scenario = std::move(smaller);
    return true;
  };
  for (size_t chunk = scenario.arrivals.size(); chunk > 0; chunk /= 2) {
    for (size_t first = 0; first < scenario.arrivals.size();) {
      Scenario smaller = scenario;
      const auto from = smaller.arrivals.begin() + static_cast<std::ptrdiff_t>(first);
      const size_t count = std::min(chunk, smaller.arrivals.size() - first);
      smaller.arrivals.erase(from, from + static_cast<std::ptrdiff_t>(count));
      if (!keep_if_broken(std::move(smaller))) first += chunk;
    }
  }
  const std::function<void(Arrival&)> simpler[] = {
      [](Arrival& a) { a.cancel_after = kNever; }, [](Arrival& a) { a.allowed = kNever; },
      [](Arrival& a) { a.priority = 0; },          [](Arrival& a) { a.poison = false; },
      [](Arrival& a) { a.width = 1; },             [](Arrival& a) { a.rows = 1; },
  };
  for (size_t i = 0; i < scenario.arrivals.size(); ++i) {
    for (const auto& simplify : simpler) {
      Scenario smaller = scenario;
      simplify(smaller.arrivals[i]);
      keep_if_broken(std::move(smaller));
    }
  }
  Scenario one_worker = scenario;
  one_worker.options.workers = 1;
  keep_if_broken(std::move(one_worker));
  return scenario;
}

inline std::string Describe(const Scenario& scenario) {
  std::ostringstream text;
  const auto time = [&text](const char* name, Nanos value) {
    if (value != kNever) text << ", " << name << ' ' << value;
  };
  const BatcherOptions& options = scenario.options;
  text << "policy " << static_cast<int>(options.policy.kind) << ", " << options.workers
       << " workers, max rows " << options.policy.max_rows << ", max queue " << options.max_queue
       << ", max delay " << options.policy.max_delay << ", a run " << scenario.fixed << " + "
       << scenario.per_row << " a row" << (scenario.known ? "" : " (not known)");
  time("close at", scenario.close_at);
  text << '\n';
  for (const Arrival& arrival : scenario.arrivals) {
    text << "  at " << arrival.at << ": " << arrival.rows << " rows of " << arrival.width
         << ", priority " << static_cast<int>(arrival.priority) << (arrival.poison ? ", poison" : "");
    time("allowed", arrival.allowed);
    time("cancelled after", arrival.cancel_after);
    if (arrival.slow > 0) time("slow by", arrival.slow);
    if (arrival.back > 0) time("after a response and", arrival.think);
    text << '\n';
  }
  return text.str();
}

// Everything that a person needs about the failure of one seed.
inline std::string ReportOf(const Property& property, uint64_t seed) {
  const Scenario scenario = ScenarioOf(property, seed);
  const Scenario smallest = Shrink(property, scenario);
  return std::string(property.name) + ": " + FaultOf(property, scenario) +
         "; again with PROPERTY_SEED=" + std::to_string(seed) + "\nThe smallest case that was found (" +
         FaultOf(property, smallest) + "): " + Describe(smallest);
}

}  // namespace millrace::test
