// A deterministic scheduler: threads that take one step at a time, in an order drawn from a seed, and
// the atomics and the futex that the lock-free algorithms run on in it. Whatever a seed shows, it shows
// every time.
//
// MEMORY Each thread has a store buffer, as processors do: a store that is not sequentially consistent
// waits in it, seen by its own thread alone, until the schedule lets it out or the thread makes a
// sequentially consistent store or a read-modify-write. So both the order of steps and that of
// stores before loads are explored. Weaker orders of loads are the model checker's (test/native/model).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "batching/clock.h"
#include "support/fiber.h"

namespace millrace::test {

class Schedule {
 public:
  // What an atomic holds, and what a store buffer does.
  struct Cell {
    uint64_t bits = 0;
  };

  // `traced`: keeps a line for each step.
  explicit Schedule(uint64_t seed, bool traced = false)
      : random_(seed), by_priority_(seed % 2 == 1), traced_(traced) {}

  // Adds a thread; its number is that of the threads before it.
  void Add(std::function<void()> body) {
    threads_.push_back(std::make_unique<Thread>(std::move(body), random_()));
  }

  // Runs the threads to their end. Returns what went wrong, or nothing.
  std::string Run() {
    current_ = this;
    while (failure_.empty() && steps_ < kMostSteps) {
      Collect();
      if (choices_.empty()) break;
      Take(Draw());
    }
    current_ = nullptr;
    if (!failure_.empty()) return failure_;
    if (steps_ == kMostSteps) return "the threads never end";
    for (size_t i = 0; i < threads_.size(); ++i) {
      if (!threads_[i]->fiber.ended()) return "thread " + std::to_string(i) + " sleeps for ever";
    }
    return {};
  }

  size_t steps() const noexcept { return steps_; }
  // The same for the same steps.
  uint64_t digest() const noexcept { return digest_; }
  const std::vector<std::string>& trace() const noexcept { return trace_; }

  // -------------------------------------------------------------------------------------------
  // For the threads.

  static Schedule& Current() noexcept { return *current_; }
  // Whether one of the threads is at work, not who has made them.
  static bool Running() noexcept { return current_ != nullptr; }

  // Before each operation that others can see: any thread may go first.
  void Step(const char* what) {
    if (traced_) trace_.push_back(std::to_string(running_) + ": " + what);
    threads_[running_]->fiber.Stop();
  }

  // Ends the run if `holds` is false. Returns only if it is true.
  void Require(bool holds, const char* what) {
    if (holds) return;
    if (failure_.empty()) failure_ = "thread " + std::to_string(running_) + ": " + what;
    threads_[running_]->fiber.Stop();
  }

  uint64_t Load(const Cell& cell) {
    const auto& buffer = threads_[running_]->buffer;
    const auto own = std::find_if(buffer.rbegin(), buffer.rend(),
                                  [&cell](const Store& store) { return store.cell == &cell; });
    return own == buffer.rend() ? cell.bits : own->bits;
  }

  void Buffer(Cell& cell, uint64_t bits) { threads_[running_]->buffer.push_back({&cell, bits}); }

  // Lets everything out that the thread has stored.
  void Drain() {
    for (auto& buffer = threads_[running_]->buffer; !buffer.empty();) Flush(buffer);
  }

  // Sleeps until somebody wakes a sleeper of `cell`; with an `alarm`, at any later step as well.
  void Sleep(const Cell& cell, bool alarm) {
    Thread& thread = *threads_[running_];
    thread.sleeps_on = &cell;
    thread.alarm = alarm;
    thread.fiber.Stop();
  }

  void WakeOne(const Cell& cell) {
    std::vector<Thread*> sleepers;
    for (const auto& thread : threads_) {
      if (thread->sleeps_on == &cell) sleepers.push_back(thread.get());
    }
    if (!sleepers.empty()) sleepers[random_() % sleepers.size()]->sleeps_on = nullptr;
  }

 private:
  // Longer than any run that ends; more steps without a change are a livelock.
  static constexpr size_t kMostSteps = 50'000;
  // A thread of high priority that spins must not keep out whom it waits for.
  static constexpr size_t kMostInARow = 100;
  // One step in so many takes the thread at work its priority (Burckhardt et al. 2010).
  static constexpr uint64_t kDemotion = 24;

  struct Store {
    Cell* cell;
    uint64_t bits;
  };

  struct Thread {
    Thread(std::function<void()> body, uint64_t rank) : fiber(std::move(body)), priority(rank) {}
    Fiber fiber;
    uint64_t priority;
    const Cell* sleeps_on = nullptr;
    bool alarm = false;
    std::deque<Store> buffer;
  };

  struct Choice {
    size_t thread;
    bool flush;  // lets a store out instead of going on
  };

  void Collect() {
    choices_.clear();
    for (size_t i = 0; i < threads_.size(); ++i) {
      const Thread& thread = *threads_[i];
      const bool awake = thread.sleeps_on == nullptr || thread.alarm;
      if (awake && !thread.fiber.ended()) choices_.push_back({i, false});
      if (!thread.buffer.empty()) choices_.push_back({i, true});
    }
  }

  // Even seeds draw among everything that can happen; odd ones let the thread of the highest priority
  // go on until one is drawn that costs it its place, which reaches what takes many steps of one thread
  // between two of another.
  Choice Draw() {
    if (!by_priority_) return choices_[random_() % choices_.size()];
    if (in_a_row_ > kMostInARow || random_() % kDemotion == 0) {
      threads_[running_]->priority = lowest_--;
      in_a_row_ = 0;
    }
    const auto rank = [this](const Choice& choice) {
      // Stores stay where they are as long as they may.
      return std::pair(!choice.flush, threads_[choice.thread]->priority);
    };
    if (random_() % kDemotion == 0) return choices_[random_() % choices_.size()];
    return *std::ranges::max_element(choices_, {}, rank);
  }

  void Take(const Choice& choice) {
    ++steps_;
    digest_ = (digest_ ^ (choice.thread * 2 + (choice.flush ? 1 : 0))) * 0x100000001b3;
    Thread& thread = *threads_[choice.thread];
    if (choice.flush) {
      if (traced_) trace_.push_back(std::to_string(choice.thread) + ": a store becomes visible");
      Flush(thread.buffer);
      return;
    }
    in_a_row_ = choice.thread == running_ ? in_a_row_ + 1 : 0;
    running_ = choice.thread;
    thread.sleeps_on = nullptr;
    thread.fiber.Resume();
  }

  static void Flush(std::deque<Store>& buffer) {
    buffer.front().cell->bits = buffer.front().bits;
    buffer.pop_front();
  }

  static inline Schedule* current_ = nullptr;

  std::mt19937_64 random_;
  const bool by_priority_;
  const bool traced_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Choice> choices_;
  size_t running_ = 0;
  size_t in_a_row_ = 0;
  uint64_t lowest_ = 1'000'000;
  size_t steps_ = 0;
  uint64_t digest_ = 0xcbf29ce484222325;
  std::string failure_;
  std::vector<std::string> trace_;
};

// What std::atomic offers and the algorithms use. Outside a schedule, before and after it, everything
// is as plain as it looks.
template <class T>
class ScheduledAtomic {
 public:
  ScheduledAtomic(T value = T()) { cell_.bits = Bits(value); }

  T load(std::memory_order) const {
    if (!Schedule::Running()) return Value(cell_.bits);
    Schedule::Current().Step("load");
    return Value(Schedule::Current().Load(cell_));
  }

  void store(T value, std::memory_order order) {
    Schedule::Current().Step("store");
    if (order != std::memory_order_seq_cst) return Schedule::Current().Buffer(cell_, Bits(value));
    Schedule::Current().Drain();
    cell_.bits = Bits(value);
  }

  T exchange(T value, std::memory_order) {
    return Modify("exchange", [value](T) { return value; });
  }
  T fetch_add(T value, std::memory_order) {
    return Modify("add", [value](T old) { return static_cast<T>(old + value); });
  }
  T fetch_sub(T value, std::memory_order) {
    return Modify("subtract", [value](T old) { return static_cast<T>(old - value); });
  }

  bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order) {
    const T compared = expected;
    expected = Modify("compare and exchange", [=](T old) { return old == compared ? value : old; });
    return expected == compared;
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                             std::memory_order failure) {
    return compare_exchange_strong(expected, value, success, failure);
  }

  const Schedule::Cell& cell() const noexcept { return cell_; }

 private:
  template <class Change>
  T Modify(const char* what, Change change) {
    Schedule::Current().Step(what);
    Schedule::Current().Drain();
    const T old = Value(cell_.bits);
    cell_.bits = Bits(change(old));
    return old;
  }

  static_assert(sizeof(T) <= sizeof(uint64_t));
  static uint64_t Bits(T value) noexcept {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T Value(uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  Schedule::Cell cell_;
};

struct ScheduledAtomics {
  template <class T>
  using Atomic = ScheduledAtomic<T>;
};

// Comparing and going to sleep are one step, as in the kernel.
struct ScheduledFutex {
  static void Wait(ScheduledAtomic<uint32_t>& word, uint32_t expected, Nanos deadline) {
    Schedule& schedule = Schedule::Current();
    schedule.Step("sleep");
    schedule.Drain();
    if (schedule.Load(word.cell()) != expected) return;
    schedule.Sleep(word.cell(), deadline != kNever);
  }

  static void WakeOne(ScheduledAtomic<uint32_t>& word) {
    Schedule& schedule = Schedule::Current();
    schedule.Step("wake");
    schedule.Drain();
    schedule.WakeOne(word.cell());
  }
};

// Only one thread at a time; whoever finds it taken tries again.
class ScheduledMutex {
 public:
  void lock() {
    do Schedule::Current().Step("lock");
    while (std::exchange(taken_, true));
  }
  void unlock() {
    Schedule::Current().Drain();
    taken_ = false;
  }

 private:
  bool taken_ = false;
};

}  // namespace millrace::test
