// The way through a batcher (intake, workers that sleep, responses) under thousands of schedules, each
// drawn from a seed. SCHEDULE_SEED=N runs the schedule of that seed alone, SCHEDULES=N so many of each
// program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>

#include "batching/inbox.h"
#include "batching/intake.h"
#include "batching/parker.h"
#include "support/schedule.h"

namespace millrace {
namespace {

using test::Schedule;
using test::ScheduledAtomic;
using test::ScheduledAtomics;
using test::ScheduledFutex;
using test::ScheduledMutex;

// The product as it is. Each fault below changes one line of it.
struct Sound {
  using Atomics = ScheduledAtomics;
  using ParkOrders = ParkerOrders;
  using DoorOrders = IntakeOrders;
  static constexpr bool kWakes = true;           // a submitter wakes a worker
  static constexpr bool kLooksAgain = true;      // a worker looks for work once it can be seen asleep
  static constexpr bool kCloseWakes = true;      // closing wakes the workers
  static constexpr bool kWaitsForPlaces = true;  // a worker stays while a submitter holds a place
};

struct Program {
  size_t producers;
  size_t consumers;
  uint32_t capacity;
  bool closer;  // somebody closes at any time, not when everything is delivered
};

struct Node {
  Node* next = nullptr;
  size_t producer = 0;
  size_t number = 0;
  int taken = 0;
  int delivered = 0;
};

void Require(bool holds, const char* what) { Schedule::Current().Require(holds, what); }

template <class Rules>
class Service {
 public:
  Service(const Program& program, Schedule& schedule)
      : program_(program), producers_(program.producers), beds_(program.consumers) {
    for (size_t p = 0; p < program.producers; ++p) schedule.Add([this, p] { Produce(p); });
    for (Bed& bed : beds_) schedule.Add([this, &bed] { Loop(bed); });
    if (program.closer) schedule.Add([this] { Close(); });
  }

  // What does not hold although every thread has ended.
  std::string Fault() const {
    for (const Producer& producer : producers_) {
      for (const Node& node : producer.nodes) {
        if (node.taken != node.delivered) return "a request was taken and never delivered";
      }
      if (producer.in_flight != 0) return "a request was accepted and never delivered";
    }
    return door_.Drained() ? "" : "the intake is not drained";
  }

 private:
  static constexpr size_t kEach = 4;      // nodes of each producer
  static constexpr size_t kInFlight = 2;  // of them, before it waits for a response
  static constexpr size_t kBatch = 2;

  using List = Inbox<Node, typename Rules::Atomics>;
  using Door = Intake<Node, ScheduledAtomics, typename Rules::DoorOrders, List>;
  using Bed = Parker<ScheduledAtomics, ScheduledFutex, typename Rules::ParkOrders>;

  // A JavaScript thread: it submits, and one call empties its list of responses.
  struct Producer {
    std::array<Node, kEach> nodes;
    size_t in_flight = 0;
    List done;
    ScheduledAtomic<uint32_t> calls{0};
    Bed bed;
    size_t next = 0;  // the least number that a worker may take now
  };

  void Produce(size_t index) {
    Producer& self = producers_[index];
    for (size_t i = 0; i < kEach; ++i) {
      self.nodes[i].producer = index;
      self.nodes[i].number = i;
      while (self.in_flight >= kInFlight) Collect(self);
      if (!Submit(self, self.nodes[i])) break;
    }
    while (self.in_flight > 0) Collect(self);
    if (++ended_ == program_.producers && !program_.closer) Close();
  }

  // Whether there may be more.
  bool Submit(Producer& self, Node& node) {
    const typename Door::Entry entry = door_.Reserve(program_.capacity);
    if (entry != Door::Entry::kOpen) return entry == Door::Entry::kFull;
    Require(++inside_ <= program_.capacity, "more requests wait than there is room for");
    ++self.in_flight;
    door_.Push(&node);
    if (Rules::kWakes) Wake();
    return true;
  }

  void Collect(Producer& self) {
    const auto called = [&self] { return self.calls.load(std::memory_order_seq_cst) != 0; };
    while (!called()) self.bed.Park(called, kNever);
    self.calls.fetch_sub(1, std::memory_order_seq_cst);
    Node* node = self.done.TakeAll();
    while (node != nullptr) {
      Node* const following = node->next;
      Require(++node->delivered == 1, "a request was delivered twice");
      --self.in_flight;
      node = following;
    }
  }

  void Wake() {
    for (Bed& bed : beds_) {
      if (bed.Unpark()) return;
    }
  }

  void Close() {
    door_.Close();
    if (!Rules::kCloseWakes) return;
    for (Bed& bed : beds_) bed.Unpark();
  }

  void Loop(Bed& bed) {
    for (;;) {
      if (Form()) continue;
      if (Rules::kWaitsForPlaces ? door_.Drained() : door_.closed()) return;
      bed.Park([this] { return Rules::kLooksAgain && (door_.HasNews() || door_.Occupied()); },
               kNever);
    }
  }

  // Takes a batch and completes it.
  bool Form() {
    std::array<Node*, kBatch> batch{};
    size_t taken = 0;
    bool more = false;
    {
      const std::lock_guard lock(forming_);
      for (Node* node = door_.TakeAll(); node != nullptr; node = node->next) pending_.push_back(node);
      for (; taken < kBatch && !pending_.empty(); ++taken) {
        batch[taken] = pending_.front();
        pending_.pop_front();
        CheckTaken(*batch[taken]);
      }
      inside_ -= static_cast<uint32_t>(taken);
      if (taken > 0) door_.Leave(static_cast<uint32_t>(taken));
      more = !pending_.empty();
    }
    if (more) Wake();
    for (size_t i = 0; i < taken; ++i) Complete(batch[i]);
    return taken > 0;
  }

  void CheckTaken(Node& node) {
    Require(++node.taken == 1, "a request was taken twice");
    Producer& owner = producers_[node.producer];
    Require(node.number >= owner.next, "a producer's requests were taken out of order");
    owner.next = node.number + 1;
  }

  void Complete(Node* node) {
    Producer& owner = producers_[node->producer];
    if (!owner.done.Push(node, node)) return;
    owner.calls.fetch_add(1, std::memory_order_seq_cst);
    owner.bed.Unpark();
  }

  const Program program_;
  std::vector<Producer> producers_;
  std::vector<Bed> beds_;
  Door door_;
  ScheduledMutex forming_;
  std::deque<Node*> pending_;
  uint32_t inside_ = 0;  // requests that have got a place
  size_t ended_ = 0;
};

struct Outcome {
  std::string fault;
  uint64_t digest = 0;
  size_t steps = 0;
  std::vector<std::string> trace;
};

template <class Rules>
Outcome RunSchedule(const Program& program, uint64_t seed, bool traced = false) {
  Schedule schedule(seed, traced);
  Service<Rules> service(program, schedule);
  std::string fault = schedule.Run();
  if (fault.empty()) fault = service.Fault();
  return {fault, schedule.digest(), schedule.steps(), schedule.trace()};
}

uint64_t Variable(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The first seed of those asked for with which the program fails.
template <class Rules>
std::optional<uint64_t> FirstFailure(const Program& program, uint64_t seeds) {
  const uint64_t only = Variable("SCHEDULE_SEED", 0);
  if (only != 0) {
    return RunSchedule<Rules>(program, only).fault.empty() ? std::nullopt : std::optional(only);
  }
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    if (!RunSchedule<Rules>(program, seed).fault.empty()) return seed;
  }
  return std::nullopt;
}

// What a person needs to see the failure again, and the steps that led to it.
template <class Rules>
std::string Report(const Program& program, uint64_t seed) {
  constexpr size_t kLines = 60;
  const Outcome outcome = RunSchedule<Rules>(program, seed, true);
  std::string text = outcome.fault + "; again with SCHEDULE_SEED=" + std::to_string(seed) + "\n";
  const size_t count = outcome.trace.size();
  for (size_t i = count > kLines ? count - kLines : 0; i < count; ++i) {
    text += "  " + outcome.trace[i] + "\n";
  }
  return text;
}

class ScheduleGrid : public testing::TestWithParam<std::tuple<size_t, size_t, uint32_t>> {};

TEST_P(ScheduleGrid, EveryRequestIsTakenInOrderAndFinishedOnce) {
  const auto [producers, consumers, capacity] = GetParam();
  for (const bool closer : {false, true}) {
    const Program program{producers, consumers, capacity, closer};
    const auto seed = FirstFailure<Sound>(program, Variable("SCHEDULES", 1000));
    EXPECT_FALSE(seed) << Report<Sound>(program, *seed);
  }
}

std::string NameOf(const testing::TestParamInfo<ScheduleGrid::ParamType>& instance) {
  const auto [producers, consumers, capacity] = instance.param;
  return std::to_string(producers) + "Producers" + std::to_string(consumers) + "Consumers" +
         std::to_string(capacity) + "Places";
}

INSTANTIATE_TEST_SUITE_P(Schedule, ScheduleGrid,
                         testing::Combine(testing::Values(1, 2, 3), testing::Values(1, 2, 3),
                                          testing::Values(1, 2, 64)),
                         NameOf);

TEST(ScheduleReplay, ASeedIsOneScheduleAndSeedsDiffer) {
  const Program program{2, 2, 2, true};
  const Outcome first = RunSchedule<Sound>(program, 7);
  const Outcome again = RunSchedule<Sound>(program, 7);
  EXPECT_EQ(first.digest, again.digest);
  EXPECT_EQ(first.steps, again.steps);
  EXPECT_NE(first.digest, RunSchedule<Sound>(program, 9).digest);
}

// ── Planted faults: each must be found, and its seed must show it again. ─────────────────────────

struct NobodyIsWoken : Sound {
  static constexpr bool kWakes = false;
};
struct SleepsWithoutASecondLook : Sound {
  static constexpr bool kLooksAgain = false;
};
struct ClosesInSilence : Sound {
  static constexpr bool kCloseWakes = false;
};
struct LeavesBeforeTheLastHasCome : Sound {
  static constexpr bool kWaitsForPlaces = false;
};

// A worker may sleep before it is seen to.
struct ParksLate : Sound {
  struct ParkOrders : ParkerOrders {
    static constexpr auto kPark = std::memory_order_release;
  };
};

struct ClosesLate : Sound {
  struct DoorOrders : IntakeOrders {
    static constexpr auto kClose = std::memory_order_release;
  };
};

// An exchange that somebody can come between.
struct TornAtomics {
  template <class T>
  struct Atomic : ScheduledAtomic<T> {
    using ScheduledAtomic<T>::ScheduledAtomic;
    bool compare_exchange_weak(T& expected, T value, std::memory_order, std::memory_order) {
      const T now = this->load(std::memory_order_seq_cst);
      if (now == expected) this->store(value, std::memory_order_seq_cst);
      return now == std::exchange(expected, now);
    }
  };
};
struct PushesInTwoSteps : Sound {
  using Atomics = TornAtomics;
};

template <class Rules>
class PlantedFault : public testing::Test {};

using PlantedFaults =
    testing::Types<NobodyIsWoken, SleepsWithoutASecondLook, ClosesInSilence,
                   LeavesBeforeTheLastHasCome, ParksLate, ClosesLate, PushesInTwoSteps>;
TYPED_TEST_SUITE(PlantedFault, PlantedFaults);

TYPED_TEST(PlantedFault, IsFoundAndFoundAgain) {
  // The first of these programs that shows it: not every fault shows in each.
  constexpr uint64_t kSeeds = 5000;
  constexpr Program kPrograms[] = {{2, 2, 64, false}, {2, 2, 64, true}, {1, 1, 2, true}};
  for (const Program& program : kPrograms) {
    const auto seed = FirstFailure<TypeParam>(program, kSeeds);
    if (!seed) continue;
    const Outcome first = RunSchedule<TypeParam>(program, *seed);
    const Outcome again = RunSchedule<TypeParam>(program, *seed);
    EXPECT_EQ(first.fault, again.fault);
    EXPECT_EQ(first.digest, again.digest);
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(*seed), first.fault.c_str());
    return;
  }
  FAIL() << "no schedule shows the fault";
}

}  // namespace
}  // namespace millrace
