// What it costs to hand a request to a worker, and how long a worker that the scheduler has stopped can
// hold up whoever hands one over: the batcher's inbox beside a mutex and a condition variable.
//
// Usage: millrace-bench-queue --producers N --submits N --pause-us N --rotate N. Prints a JSON line for
// each queue, calm and with pauses.
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "batching/inbox.h"
#include "batching/parker.h"

namespace millrace::bench {
namespace {

struct Settings {
  int64_t producers = 1;
  // By each producer.
  int64_t submits = 1;
  std::chrono::microseconds pause{0};
};

struct Node {
  Node* next = nullptr;
};

// Called by a consumer where a worker might be preempted: with requests in hand, and with the lock held
// where the queue has one.
template <class Stop>
concept Pause = requires(Stop stop) { stop(); };

// No queue at all: what the measurement itself costs.
class Nothing {
 public:
  void Push(Node*) noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  int64_t Take(Pause auto, const std::atomic<bool>& over) {
    while (!over.load(std::memory_order_relaxed) && count_.load(std::memory_order_relaxed) == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return count_.exchange(0, std::memory_order_relaxed);
  }
  void Wake() noexcept {}

 private:
  std::atomic<int64_t> count_{0};
};

// The batcher's way in.
class LockFree {
 public:
  void Push(Node* node) noexcept {
    inbox_.Push(node, node);
    parker_.Unpark();
  }

  int64_t Take(Pause auto pause, const std::atomic<bool>& over) {
    parker_.Park([&] { return !inbox_.Empty() || over.load(); }, kNever);
    Node* node = inbox_.TakeAll();
    pause();
    int64_t count = 0;
    for (; node != nullptr; node = node->next) ++count;
    return count;
  }

  void Wake() noexcept { parker_.Unpark(); }

 private:
  Inbox<Node> inbox_;
  Parker<> parker_;
};

// The same sleep, but a mutex around a deque.
class Locked {
 public:
  void Push(Node* node) {
    {
      const std::lock_guard lock(mutex_);
      nodes_.push_back(node);
      some_.store(true);
    }
    parker_.Unpark();
  }

  int64_t Take(Pause auto pause, const std::atomic<bool>& over) {
    parker_.Park([&] { return some_.load() || over.load(); }, kNever);
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<int64_t>(nodes_.size());
    nodes_.clear();
    some_.store(false);
    pause();
    return count;
  }

  void Wake() noexcept { parker_.Unpark(); }

 private:
  std::mutex mutex_;
  std::deque<Node*> nodes_;
  // Sequentially consistent, as Parker requires of the values that it checks.
  std::atomic<bool> some_{false};
  Parker<> parker_;
};

// The textbook's queue.
class Notified {
 public:
  void Push(Node* node) {
    {
      const std::lock_guard lock(mutex_);
      nodes_.push_back(node);
    }
    some_.notify_one();
  }

  int64_t Take(Pause auto pause, const std::atomic<bool>& over) {
    std::unique_lock lock(mutex_);
    some_.wait(lock, [&] { return !nodes_.empty() || over.load(); });
    const auto count = static_cast<int64_t>(nodes_.size());
    nodes_.clear();
    pause();
    return count;
  }

  // Under the lock, or the consumer might sleep between its look at `over` and its wait.
  void Wake() {
    const std::lock_guard lock(mutex_);
    some_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<Node*> nodes_;
};

int64_t Nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Between two submits of a producer, so that producers do not compete for cores.
constexpr std::chrono::microseconds kGap(50);
// The consumer is stopped once in so many takes.
constexpr int64_t kPauseEvery = 8;

template <class Queue>
void Produce(Queue& queue, std::vector<Node>& nodes, std::vector<int64_t>& took) {
  // The default lets a sleeper lie 50 µs longer.
  prctl(PR_SET_TIMERSLACK, 1000);
  took.reserve(nodes.size());
  for (Node& node : nodes) {
    const int64_t start = Nanoseconds();
    queue.Push(&node);
    took.push_back(Nanoseconds() - start);
    std::this_thread::sleep_for(kGap);
  }
}

struct Result {
  std::vector<int64_t> took;
  int64_t pauses = 0;
};

template <class Queue>
Result Measure(const Settings& settings, bool paused) {
  Queue queue;
  Result result;
  std::atomic<bool> over{false};
  const int64_t all = settings.producers * settings.submits;
  std::thread consumer([&] {
    int64_t takes = 0;
    const auto pause = [&] {
      if (!paused || ++takes % kPauseEvery != 0) return;
      ++result.pauses;
      std::this_thread::sleep_for(settings.pause);
    };
    for (int64_t taken = 0; taken < all;) taken += queue.Take(pause, over);
  });
  const auto producers = static_cast<size_t>(settings.producers);
  std::vector<std::vector<Node>> nodes(producers);
  std::vector<std::vector<int64_t>> took(producers);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < producers; ++i) {
    nodes[i].resize(static_cast<size_t>(settings.submits));
    threads.emplace_back([&, i] { Produce(queue, nodes[i], took[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  over = true;
  queue.Wake();
  consumer.join();
  for (const auto& one : took) result.took.insert(result.took.end(), one.begin(), one.end());
  return result;
}

void Print(const char* name, const Settings& settings, bool paused, Result result) {
  std::vector<int64_t>& took = result.took;
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) {
    return took[static_cast<size_t>(share * static_cast<double>(took.size() - 1))];
  };
  // Half a pause is longer than anything else that happens to a submit, but for a preemption of its own.
  const int64_t long_ns = std::chrono::nanoseconds(settings.pause).count() / 2;
  const auto held = took.end() - std::lower_bound(took.begin(), took.end(), long_ns);
  std::printf(
      "{\"queue\":\"%s\",\"paused\":%s,\"producers\":%lld,\"submits\":%zu,\"pauses\":%lld,"
      "\"held\":%lld,\"p50Ns\":%lld,\"p99Ns\":%lld,\"p999Ns\":%lld,\"maxNs\":%lld}\n",
      name, paused ? "true" : "false", static_cast<long long>(settings.producers), took.size(),
      static_cast<long long>(result.pauses), static_cast<long long>(held),
      static_cast<long long>(at(0.5)), static_cast<long long>(at(0.99)),
      static_cast<long long>(at(0.999)), static_cast<long long>(took.back()));
}

template <class Queue>
void Run(const char* name, const Settings& settings) {
  for (const bool paused : {false, true}) {
    Print(name, settings, paused, Measure<Queue>(settings, paused));
  }
}

struct Contender {
  const char* name;
  void (*run)(const char* name, const Settings& settings);
};

constexpr std::array<Contender, 4> kContenders{{
    {"nothing", &Run<Nothing>},
    {"inbox", &Run<LockFree>},
    {"mutex", &Run<Locked>},
    {"condvar", &Run<Notified>},
}};

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  using namespace millrace::bench;
  std::map<std::string, long long> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = std::atoll(argv[i + 1]);
  const Settings settings{flags["--producers"], flags["--submits"],
                          std::chrono::microseconds(flags["--pause-us"])};
  if (settings.producers < 1 || settings.submits < 1 || settings.pause.count() < 1) {
    std::fprintf(stderr, "%s: --producers, --submits and --pause-us must be at least 1\n", argv[0]);
    return EXIT_FAILURE;
  }
  const auto first = static_cast<size_t>(flags["--rotate"]);
  for (size_t i = 0; i < kContenders.size(); ++i) {
    const Contender& contender = kContenders[(first + i) % kContenders.size()];
    contender.run(contender.name, settings);
  }
  return EXIT_SUCCESS;
}
