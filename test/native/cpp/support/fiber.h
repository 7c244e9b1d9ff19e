// Simulated threads: functions that stop where they say so and go on when they are told to, all on one
// real thread, so that a run of many of them can be repeated exactly.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace millrace::test {

// One function on a stack of its own. A fiber that is destroyed before its end leaves its stack as it
// is: what lies there is not destroyed.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body)
      : body_(std::move(body)), stack_(std::make_unique_for_overwrite<std::byte[]>(kStack)) {
    getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = kStack;
    own_.uc_link = nullptr;
    const auto self = reinterpret_cast<uintptr_t>(this);
    makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
                static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Goes on with the function until it stops or ends.
  void Resume() {
    Leaving(&resumer_stack_, stack_.get(), kStack);
    swapcontext(&resumer_, &own_);
    Arrived(resumer_stack_, nullptr, nullptr);
  }

  // Within the function only: back to Resume.
  void Stop() {
    Leaving(ended_ ? nullptr : &own_stack_, resumer_bottom_, resumer_size_);
    swapcontext(&own_, &resumer_);
    Arrived(own_stack_, &resumer_bottom_, &resumer_size_);
  }

  bool ended() const noexcept { return ended_; }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t kStack = 256 << 10;
  static void Leaving(void** saved, const void* bottom, size_t size) {
    __sanitizer_start_switch_fiber(saved, bottom, size);
  }
  static void Arrived(void* saved, const void** bottom, size_t* size) {
    __sanitizer_finish_switch_fiber(saved, bottom, size);
  }
#else
  static constexpr size_t kStack = 64 << 10;
  static void Leaving(void**, const void*, size_t) {}
  static void Arrived(void*, const void**, size_t*) {}
#endif

  // makecontext hands over integers only.
  static void Enter(unsigned high, unsigned low) {
    auto* const fiber = reinterpret_cast<Fiber*>(uintptr_t{high} << 32 | low);
    Arrived(nullptr, &fiber->resumer_bottom_, &fiber->resumer_size_);
    fiber->body_();
    fiber->ended_ = true;
    fiber->Stop();
  }

  const std::function<void()> body_;
  const std::unique_ptr<std::byte[]> stack_;
  ucontext_t own_{};
  ucontext_t resumer_{};
  bool ended_ = false;
  // For AddressSanitizer, which keeps a shadow of each stack.
  void* own_stack_ = nullptr;
  void* resumer_stack_ = nullptr;
  const void* resumer_bottom_ = nullptr;
  size_t resumer_size_ = 0;
};

}  // namespace millrace::test
