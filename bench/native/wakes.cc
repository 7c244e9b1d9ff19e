// An addon that measures what no batched request can do without: waking a worker from JavaScript, and
// waking the sleeping event loop from a worker. Both as the engine does it.
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "batching/clock.h"
#include "batching/parker.h"

namespace millrace::bench {
namespace {

// Long enough for the other side to be asleep.
constexpr std::chrono::microseconds kGap(500);

napi_value ToArray(napi_env env, const std::vector<Nanos>& values) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, values.size(), &array);
  for (uint32_t i = 0; i < values.size(); ++i) {
    napi_value number = nullptr;
    napi_create_double(env, static_cast<double>(values[i]), &number);
    napi_set_element(env, array, i, number);
  }
  return array;
}

uint32_t FirstArgument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  uint32_t value = 0;
  napi_get_value_uint32(env, argument, &value);
  return value;
}

// futexWakes(rounds): number[]
// From before Unpark until the worker runs, nanoseconds.
napi_value JS_futexWakes(napi_env env, napi_callback_info info) {
  const uint32_t rounds = FirstArgument(env, info);
  const SteadyClock clock;
  Parker<> parker;
  std::vector<Nanos> took;
  // When the present wake-up began. Sequentially consistent, as Parker requires of the values that it checks.
  std::atomic<Nanos> began{0};
  std::atomic<uint32_t> done{0};
  std::thread worker([&] {
    while (took.size() < rounds) {
      parker.Park([&] { return began.load() != 0; }, kNever);
      const Nanos start = began.exchange(0);
      if (start == 0) continue;
      took.push_back(clock.Now() - start);
      done.fetch_add(1, std::memory_order_release);  // pairs with the acquire below
    }
  });
  for (uint32_t round = 0; round < rounds; ++round) {
    std::this_thread::sleep_for(kGap);
    began.store(clock.Now());
    parker.Unpark();
    while (done.load(std::memory_order_acquire) == round) std::this_thread::yield();
  }
  worker.join();
  return ToArray(env, took);
}

// The measurement of one call of loopWakes.
struct LoopWakes {
  napi_deferred deferred = nullptr;
  napi_threadsafe_function call = nullptr;
  std::thread thread;
  uint32_t rounds = 0;
  // Guarded by taking turns: the thread writes, calls, and waits for `done`.
  Nanos began = 0;
  std::vector<Nanos> took;
  std::atomic<uint32_t> done{0};
};

void OnLoop(napi_env env, napi_value, void* context, void*) {
  auto* const wakes = static_cast<LoopWakes*>(context);
  if (env == nullptr) return;
  wakes->took.push_back(SteadyClock().Now() - wakes->began);
  const bool last = wakes->took.size() == wakes->rounds;
  wakes->done.fetch_add(1, std::memory_order_release);  // pairs with the acquire in the thread
  if (!last) return;
  wakes->thread.join();
  napi_resolve_deferred(env, wakes->deferred, ToArray(env, wakes->took));
  napi_release_threadsafe_function(wakes->call, napi_tsfn_release);
}

// loopWakes(rounds): Promise<number[]>
// From a thread's call until the event loop, which slept, runs it, nanoseconds.
napi_value JS_loopWakes(napi_env env, napi_callback_info info) {
  auto* const wakes = new LoopWakes;
  wakes->rounds = FirstArgument(env, info);
  napi_value promise = nullptr;
  napi_create_promise(env, &wakes->deferred, &promise);
  napi_value name = nullptr;
  napi_create_string_utf8(env, "millrace-bench-wakes", NAPI_AUTO_LENGTH, &name);
  const auto finalize = [](napi_env, void*, void* context) {
    delete static_cast<LoopWakes*>(context);
  };
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, finalize, wakes,
                                  &OnLoop, &wakes->call);
  wakes->thread = std::thread([wakes] {
    const SteadyClock clock;
    const uint32_t rounds = wakes->rounds;
    for (uint32_t round = 0; round < rounds; ++round) {
      std::this_thread::sleep_for(kGap);
      wakes->began = clock.Now();
      napi_call_threadsafe_function(wakes->call, nullptr, napi_tsfn_nonblocking);
      while (wakes->done.load(std::memory_order_acquire) == round) std::this_thread::sleep_for(kGap);
    }
  });
  return promise;
}

}  // namespace
}  // namespace millrace::bench

NAPI_MODULE_INIT() {
  using namespace millrace::bench;
  napi_value futex = nullptr;
  napi_create_function(env, "futexWakes", NAPI_AUTO_LENGTH, JS_futexWakes, nullptr, &futex);
  napi_set_named_property(env, exports, "futexWakes", futex);
  napi_value loop = nullptr;
  napi_create_function(env, "loopWakes", NAPI_AUTO_LENGTH, JS_loopWakes, nullptr, &loop);
  napi_set_named_property(env, exports, "loopWakes", loop);
  return exports;
}
