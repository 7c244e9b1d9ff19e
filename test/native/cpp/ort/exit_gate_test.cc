#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "ort/api.h"
#include "support/executors.h"

namespace millrace {
namespace {

constexpr Nanos kMinute = 60'000'000'000;

TEST(ExitGate, LetsInUntilItCloses) {
  ExitGate gate;
  EXPECT_TRUE(GatePass(gate));
  gate.CloseAndWait(kMinute);
  EXPECT_FALSE(GatePass(gate));
  EXPECT_FALSE(gate.Enter());
}

TEST(ExitGate, APassThatWasRefusedLeavesNothingBehind) {
  ExitGate gate;
  gate.CloseAndWait(0);
  { const GatePass refused(gate); }
  gate.CloseAndWait(kMinute);
}

TEST(ExitGate, WaitsForThoseInside) {
  ExitGate gate;
  std::atomic<bool> inside{false};
  std::atomic<bool> done{false};
  test::FakeHandle run;
  gate.Register(&run);
  std::thread worker([&] {
    const GatePass pass(gate);
    ASSERT_TRUE(pass);
    inside = true;
    while (!run.terminated) std::this_thread::yield();
    done = true;
  });
  while (!inside) std::this_thread::yield();
  gate.CloseAndWait(kMinute);
  EXPECT_TRUE(done) << "exit went on while a thread was inside";
  worker.join();
}

TEST(ExitGate, GivesUpOnAThreadThatDoesNotLeave) {
  ExitGate gate;
  ASSERT_TRUE(gate.Enter());
  gate.CloseAndWait(1'000'000);
  gate.Leave();
}

TEST(ExitGate, TerminatesWhatIsRegisteredAndNothingElse) {
  ExitGate gate;
  test::FakeHandle kept;
  test::FakeHandle gone;
  gate.Register(&kept);
  gate.Register(&gone);
  gate.Unregister(&gone);
  gate.CloseAndWait(kMinute);
  EXPECT_TRUE(kept.terminated);
  EXPECT_FALSE(gone.terminated);
}

TEST(ExitGate, ManyThreadsComingAndGoingAreAllOutWhenItHasClosed) {
  ExitGate gate;
  std::atomic<int> inside{0};
  std::atomic<int> entered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const GatePass pass(gate);
        if (!pass) return;
        ++inside;
        ++entered;
        --inside;
      }
    });
  }
  while (entered < 1000) std::this_thread::yield();
  gate.CloseAndWait(kMinute);
  EXPECT_EQ(inside, 0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace
