// Properties of a generator: what must hold of every run of a simulation, the random scenarios they are tried on, and the
// search for the smallest scenario that breaks one.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "generation/simulation.h"
#include "support/random.h"

namespace millrace::test {

struct GenerationProperty {
  const char* name;
  // Changes a scenario that is as mixed as can be to one that says something about the property.
  std::function<void(GenerationScenario&, Random&)> narrow;
  // Says what is wrong with a run, or nothing.
  std::function<std::string(const GenerationScenario&, const GenerationTrace&)> check;
  // Makes a run look as if the property had been broken; false if the run gives no occasion. Without it a property that
  // cannot fail would pass unseen.
  std::function<bool(GenerationScenario&, GenerationTrace&)> spoil;
};

// Rows are told apart by their first token, so that there are at most as many requests as tokens.
inline constexpr size_t kMostArrivals = 32;

inline DecoderFacts MixedFacts(Random& random) {
  DecoderFacts facts;
  facts.vocabulary = 32;
  facts.cache_bytes = 16;
  facts.encoder_decoder = random.OneIn(2);
  if (facts.encoder_decoder) facts.encoder_bytes = 10;
  // An encoder–decoder model has prompts of one token, which are never computed in parts.
  facts.mixed_lengths = facts.encoder_decoder ? random.OneIn(4) : !random.OneIn(3);
  facts.chunks = !facts.encoder_decoder && random.OneIn(2);
  return facts;
}

// A scenario with everything in it: any kind of decoder, bursts, long prompts, beams, deadlines, levels, cancellations,
// failures, little memory, a close at any time.
inline GenerationScenario MixedGenerations(uint64_t seed, Random& random) {
  GenerationScenario scenario;
  scenario.seed = seed;
  scenario.facts = MixedFacts(random);
  GeneratorOptions& options = scenario.options;
  options.max_rows = random.Of({1u, 4u, 8u, 32u});
  options.max_prefill_tokens = random.Of<int64_t>({8, 32, 512});
  options.max_queue = random.Of({2u, 8u, 1000u});
  options.cache_bytes = random.Of<int64_t>({4'000, 20'000, 1 << 30});
  options.aging = random.Of<Nanos>({1'000'000, 1'000'000'000});
  const double gap = static_cast<double>(scenario.fixed) * random.Of({0.1, 2.0, 10.0});
  const auto count = random.Between(1, 16);
  Nanos at = 1'000'000;
  for (int64_t i = 0; i < count; ++i) {
    // Some come together.
    if (!random.OneIn(4)) at += random.Exponential(gap);
    GenerationArrival& arrival = scenario.arrivals.emplace_back();
    arrival.at = at;
    arrival.prompt = static_cast<size_t>(random.OneIn(4) ? random.Between(1, 60) : random.Between(1, 6));
    arrival.new_tokens = random.Between(1, random.OneIn(2) ? 6 : 30);
    arrival.beams = random.OneIn(4) ? static_cast<int32_t>(random.Between(2, 4)) : 1;
    arrival.priority = static_cast<uint8_t>(random.OneIn(3) ? random.Below(3) : 0);
    if (random.OneIn(6)) arrival.allowed = random.Between(1, 40'000'000);
    if (random.OneIn(6)) arrival.cancel_after = random.Between(0, 40'000'000);
    arrival.stream = random.OneIn(2);
    arrival.sample = arrival.beams == 1 && random.OneIn(3);
    arrival.ends = random.OneIn(2);
    arrival.rules = random.OneIn(3);
  }
  for (int64_t i = random.OneIn(3) ? random.Between(1, 3) : 0; i > 0; --i) {
    scenario.failing.insert(random.Below(40));
  }
  if (random.OneIn(4)) scenario.close_at = random.Between(1'000'000, at);
  return scenario;
}

inline GenerationScenario ScenarioOf(const GenerationProperty& property, uint64_t seed) {
  // Every property has scenarios of its own.
  Random random(seed * 0x9e3779b97f4a7c15 + std::hash<std::string>()(property.name));
  GenerationScenario scenario = MixedGenerations(seed, random);
  if (property.narrow) property.narrow(scenario, random);
  return scenario;
}

inline std::string FaultOf(const GenerationProperty& property, const GenerationScenario& scenario) {
  const GenerationTrace trace = GenerationSimulation::Of(scenario);
  if (!trace.ended) return "it never ends";
  if (!trace.faults.empty()) return trace.faults.front();
  return property.check(scenario, trace);
}

// Leaves out of a scenario that breaks the property what is not needed for that: requests first, then what makes one
// unlike another.
inline GenerationScenario Shrink(const GenerationProperty& property, GenerationScenario scenario) {
  const auto keep_if_broken = [&](GenerationScenario smaller) {
    if (FaultOf(property, smaller).empty()) return false;
    scenario = std::move(smaller);
    return true;
  };
  for (size_t i = 0; i < scenario.arrivals.size();) {
    GenerationScenario smaller = scenario;
    smaller.arrivals.erase(smaller.arrivals.begin() + static_cast<std::ptrdiff_t>(i));
    if (!keep_if_broken(std::move(smaller))) ++i;
  }
  const std::function<void(GenerationArrival&)> simpler[] = {
      [](auto& a) { a.cancel_after = kNever; }, [](auto& a) { a.allowed = kNever; },
      [](auto& a) { a.priority = 0; },          [](auto& a) { a.beams = 1; },
      [](auto& a) { a.rules = false; },         [](auto& a) { a.ends = false; },
      [](auto& a) { a.sample = false; },        [](auto& a) { a.prompt = 1 + a.prompt / 2; },
      [](auto& a) { a.new_tokens = 1 + a.new_tokens / 2; },
  };
  for (size_t i = 0; i < scenario.arrivals.size(); ++i) {
    for (const auto& simplify : simpler) {
      GenerationScenario smaller = scenario;
      simplify(smaller.arrivals[i]);
      keep_if_broken(std::move(smaller));
    }
  }
  return scenario;
}

inline std::string Describe(const GenerationScenario& scenario) {
  std::ostringstream text;
  const auto time = [&text](const char* name, Nanos value) {
    if (value != kNever) text << ", " << name << ' ' << value;
  };
  const DecoderFacts& facts = scenario.facts;
  const GeneratorOptions& options = scenario.options;
  text << (facts.encoder_decoder ? "encoder-decoder" : "decoder") << (facts.mixed_lengths ? ", mixed lengths" : "")
       << (facts.chunks ? ", chunks" : "") << ", max rows " << options.max_rows << ", max prefill "
       << options.max_prefill_tokens << ", max queue " << options.max_queue << ", memory "
       << options.cache_bytes << ", aging " << options.aging;
  for (const size_t run : scenario.failing) text << ", run " << run << " fails";
  time("close at", scenario.close_at);
  text << '\n';
  for (const GenerationArrival& arrival : scenario.arrivals) {
    text << "  at " << arrival.at << ": " << arrival.prompt << " + " << arrival.new_tokens << " tokens, "
         << arrival.beams << " beams, priority " << static_cast<int>(arrival.priority)
         << (arrival.stream ? ", streams" : "") << (arrival.sample ? ", samples" : "")
         << (arrival.ends ? ", ends" : "") << (arrival.rules ? ", rules" : "");
    time("allowed", arrival.allowed);
    time("cancelled after", arrival.cancel_after);
    text << '\n';
  }
  return text.str();
}

// Everything that a person needs about the failure of one seed.
inline std::string ReportOf(const GenerationProperty& property, uint64_t seed) {
  const GenerationScenario scenario = ScenarioOf(property, seed);
  const GenerationScenario smallest = Shrink(property, scenario);
  return std::string(property.name) + ": " + FaultOf(property, scenario) +
         "; again with PROPERTY_SEED=" + std::to_string(seed) + "\nThe smallest case that was found (" +
         FaultOf(property, smallest) + "): " + Describe(smallest);
}

}  // namespace millrace::test
