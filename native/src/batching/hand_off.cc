#include "batching/hand_off.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "batching/parker.h"

namespace millrace {
namespace {

constexpr size_t kRounds = 33;
// A ball that is lost to a busy machine is not waited for longer than that.
constexpr Nanos kPatience = 10'000'000;

// One of two players that throw a ball to and fro; each sleeps until it has it.
struct Player {
  Parker<> parker;
  std::atomic<bool> has_ball{false};

  // seq_cst pairs with Parker: the thrower sees who sleeps, or who is about to sleep sees the ball.
  void Catch(const Clock& clock) noexcept {
    const Nanos until = clock.Now() + kPatience;
    while (!has_ball.load(std::memory_order_seq_cst) && clock.Now() < until) {
      parker.Park([this] { return has_ball.load(std::memory_order_seq_cst); }, until);
    }
    has_ball.store(false, std::memory_order_relaxed);
  }
  void Throw() noexcept {
    has_ball.store(true, std::memory_order_seq_cst);
    parker.Unpark();
  }
};

}  // namespace

Nanos MeasureWake(const Clock& clock) {
  Player here;
  Player there;
  std::thread other([&] {
    for (size_t i = 0; i < kRounds; ++i) {
      there.Catch(clock);
      here.Throw();
    }
  });
  std::array<Nanos, kRounds> rounds{};
  for (Nanos& round : rounds) {
    const Nanos began = clock.Now();
    there.Throw();
    here.Catch(clock);
    round = clock.Now() - began;
  }
  other.join();
  std::ranges::nth_element(rounds, rounds.begin() + kRounds / 2);
  return rounds[kRounds / 2] / 2;
}

}  // namespace millrace
