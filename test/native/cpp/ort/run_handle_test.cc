#include "ort/run_handle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace millrace {
namespace {

// Run options that are one flag, as ONNX Runtime keeps it. A thread may lose the processor on either side
// of each change.
struct Options {
  std::atomic<bool> ended{false};
};

Options& Of(const OrtRunOptions* options) {
  return *reinterpret_cast<Options*>(const_cast<OrtRunOptions*>(options));
}

OrtApi MakeApi() {
  OrtApi api{};
  api.CreateRunOptions = [](OrtRunOptions** options) noexcept -> OrtStatus* {
    *options = reinterpret_cast<OrtRunOptions*>(new Options);
    return nullptr;
  };
  api.ReleaseRunOptions = [](OrtRunOptions* options) noexcept { delete &Of(options); };
  api.RunOptionsSetTerminate = [](OrtRunOptions* options) noexcept -> OrtStatus* {
    std::this_thread::yield();
    Of(options).ended = true;
    std::this_thread::yield();
    return nullptr;
  };
  api.RunOptionsUnsetTerminate = [](OrtRunOptions* options) noexcept -> OrtStatus* {
    std::this_thread::yield();
    Of(options).ended = false;
    return nullptr;
  };
  return api;
}

TEST(OrtRunHandle, AnEndedRunIsExplainedAndTheNextOneIsNotEnded) {
  const OrtApi api = MakeApi();
  ExitGate gate;
  OrtRunHandle handle(api, gate);
  ASSERT_TRUE(handle.Begin().ok());
  handle.Terminate();
  EXPECT_TRUE(Of(handle.options()).ended);
  EXPECT_EQ(handle.Explain({Code::kInternal, "Exiting"}).code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(handle.Explain({}).ok());
  ASSERT_TRUE(handle.Begin().ok());
  EXPECT_FALSE(Of(handle.options()).ended);
  EXPECT_EQ(handle.Explain({Code::kInternal, "Other"}).code(), Code::kInternal);
}

// As a watchdog that ends one attempt at a batch while the worker begins the next.
TEST(OrtRunHandle, ATerminationThatMeetsABeginNeverOutlivesTheNext) {
  const OrtApi api = MakeApi();
  ExitGate gate;
  OrtRunHandle handle(api, gate);
  for (int round = 0; round < 2000; ++round) {
    ASSERT_TRUE(handle.Begin().ok());
    std::thread watchdog([&] { handle.Terminate(); });
    std::this_thread::yield();
    ASSERT_TRUE(handle.Begin().ok());
    watchdog.join();
    ASSERT_EQ(Of(handle.options()).ended, handle.terminated()) << "round " << round;
    ASSERT_TRUE(handle.Begin().ok());
    ASSERT_FALSE(Of(handle.options()).ended) << "every run to come is ended, round " << round;
  }
}

}  // namespace
}  // namespace millrace
