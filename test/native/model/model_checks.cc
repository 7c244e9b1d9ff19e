// Model checks of the lock-free algorithms, and the test of those checks: every memory order is
// weakened in turn, and some check must then fail.
//
//   millrace-model checks             runs every check on the product's orders
//   millrace-model mutations README   weakens them one by one, prints what caught it, and fails unless
//                                     something did and the file has the same table
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "batching/intake.h"
#include "batching/borrow_guard.h"
#include "batching/parker.h"

#include "model/checks.h"

namespace millrace::model {
namespace {

struct Verdict {
  bool holds = true;
  std::string failure;
  rl::iteration_t executions = 0;
};

struct Check {
  const char* name;
  std::function<Verdict(bool show)> run;
};

// `show` prints the execution that fails, if it was a random one.
template <class Suite, class Scheduler>
Verdict Explore(rl::test_params params, bool show) {
  std::ostream nowhere(nullptr);
  params.execution_depth_limit = 20'000;
  params.output_stream = &nowhere;
  params.progress_stream = &nowhere;
  const rl::test_result_e result = rl::run_test<Suite, Scheduler>(params, nowhere, false);
  if (result == rl::test_result_success) return {true, "", params.stop_iteration};
  if (show && params.search_type == rl::sched_random) {
    params.initial_state = std::to_string(params.stop_iteration) + " ";
    params.collect_history = true;
    params.output_stream = &std::cout;
    rl::run_test<Suite, Scheduler>(params, nowhere, true);
  }
  return {false, rl::test_result_str(result), params.stop_iteration};
}

// Random executions, with every value a load may see.
template <class Suite>
Check Random(const char* name) {
  return {name, [](bool show) {
            rl::test_params params;
            params.search_type = rl::sched_random;
            params.iteration_count = 100'000;
            using Scheduler = rl::random_scheduler<Suite::params::thread_count>;
            return Explore<Suite, Scheduler>(params, show);
          }};
}

// All executions with at most `preemptions` switches away from a thread that could have gone on.
template <class Suite>
Check All(const char* name, unsigned preemptions) {
  return {name, [preemptions](bool show) {
            rl::test_params params;
            params.search_type = rl::sched_bound;
            params.context_bound = preemptions;
            using Scheduler = rl::context_bound_scheduler<Suite::params::thread_count>;
            return Explore<Suite, Scheduler>(params, show);
          }};
}

std::vector<Check> Checks() {
  return {
      All<Exchange<1, 1>>("exchange, 1 producer, 1 consumer, up to 4 preemptions", 4),
      All<Exchange<2, 1>>("exchange, 2 producers, 1 consumer, up to 2 preemptions", 2),
      All<Sleep<1, false>>("sleep, 1 producer, up to 2 preemptions", 2),
      All<Closing>("closing, 1 caller, up to 4 preemptions", 4),
      Random<Exchange<1, 1>>("exchange, 1 producer, 1 consumer"),
      Random<Exchange<2, 1>>("exchange, 2 producers, 1 consumer"),
      Random<Exchange<3, 1>>("exchange, 3 producers, 1 consumer"),
      Random<Exchange<2, 2>>("exchange, 2 producers, 2 consumers"),
      Random<Sleep<1, false>>("sleep, 1 producer"),
      Random<Sleep<2, false>>("sleep, 2 producers"),
      Random<Sleep<2, true>>("sleep with an alarm, 2 producers"),
      Random<Completion<2>>("completion, 2 workers"),
      Random<Detach<1>>("completion while the thread ends, 1 worker"),
      Random<Detach<2>>("completion while the thread ends, 2 workers"),
      All<Lending>("lending, up to 4 preemptions", 4),
      Random<Lending>("lending"),
      Random<Service<1, 1, true>>("service with close, 1 submitter, 1 worker"),
      Random<Service<2, 1, true>>("service with close, 2 submitters, 1 worker"),
      Random<Service<1, 2, true>>("service with close, 1 submitter, 2 workers"),
      Random<Service<1, 2, false>>("service, 1 submitter, 2 workers"),
      Random<Service<2, 2, false>>("service, 2 submitters, 2 workers"),
  };
}

int RunChecks() {
  int failed = 0;
  for (const Check& check : Checks()) {
    const Verdict verdict = check.run(true);
    std::cout << (verdict.holds ? "holds  " : "FAILS  ") << check.name << ": " << verdict.executions
              << " executions" << (verdict.holds ? "" : ", ") << verdict.failure << std::endl;
    failed += verdict.holds ? 0 : 1;
  }
  return failed == 0 ? 0 : 1;
}

// The first check that fails, as cells of the table; "" if none does.
std::string CaughtBy() {
  for (const Check& check : Checks()) {
    const Verdict verdict = check.run(false);
    if (!verdict.holds) return std::string(check.name) + " | " + verdict.failure;
  }
  return "";
}

std::string Read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Prints the table, and compares it with the one in the file `readme`.
int RunMutations(const char* readme) {
  const std::string documented = Read(readme);
  int mutations = 0;
  int escaped = 0;
  int undocumented = 0;
  std::cout << "| site | order | weakened to | caught by | as |\n|---|---|---|---|---|\n";
  for (const Site& site : Sites()) {
    const std::memory_order proper = site.order;
    for (const std::memory_order weaker : Weaker(site.access, proper)) {
      site.order = weaker;
      const std::string caught = CaughtBy();
      site.order = proper;
      const std::string row = std::string("| `") + site.name + "` | " + NameOf(proper) + " | " +
                              NameOf(weaker) + " | " + (caught.empty() ? "NOTHING | " : caught) +
                              " |\n";
      std::cout << row << std::flush;
      ++mutations;
      escaped += caught.empty() ? 1 : 0;
      undocumented += documented.find(row) == std::string::npos ? 1 : 0;
    }
  }
  std::cout << mutations << " mutations, " << escaped << " not caught, " << undocumented
            << " with another row in " << readme << std::endl;
  return mutations > 0 && escaped == 0 && undocumented == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::model

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "checks") == 0) return millrace::model::RunChecks();
  if (argc == 3 && std::strcmp(argv[1], "mutations") == 0) {
    return millrace::model::RunMutations(argv[2]);
  }
  std::cerr << "Usage: millrace-model checks | mutations README" << std::endl;
  return 2;
}
