// How work that nobody wants any more is stopped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "batching/clock.h"
#include "batching/status.h"

namespace millrace {

// Ends work with a status, from any depth. Only functions whose comments name it throw it, and the functions that others call,
// FindBoxes and FindSegments, return its status.
class StatusError final : public std::exception {
 public:
  explicit StatusError(Status status) noexcept : status_(std::move(status)) {}
  const char* what() const noexcept override { return "The work ended with a status"; }
  const Status& status() const noexcept { return status_; }

 private:
  Status status_;
};

// Returns what `body` does, or the status of a StatusError.
template <typename Body>
Status CatchStatus(Body&& body) {
  try {
    return body();
  } catch (const StatusError& error) {
    return error.status();
  }
}

// When work is no longer wanted.
struct StopRule {
  // Another thread may set it to something else than 0, which cancels the work. Null means that nobody does.
  int32_t* cancelled = nullptr;
  Nanos deadline = kNever;
};

// Looks at a rule from time to time.
class StopCheck {
 public:
  // Throws StatusError if the work is not wanted even now.
  explicit StopCheck(const StopRule& rule) : rule_(rule) { Look(); }

  // Counts steps of work, each of which takes less than about 10 ns, and looks at the rule about every 2 ms. Throws StatusError with
  // kCancelled or kDeadlineExceeded.
  void Spend(size_t steps) {
    constexpr size_t kInterval = 200'000;
    steps_ += steps;
    if (steps_ < kInterval) return;
    steps_ = 0;
    Look();
  }

 private:
  void Look() const {
    if (rule_.cancelled != nullptr && std::atomic_ref(*rule_.cancelled).load(std::memory_order_relaxed) != 0) {
      throw StatusError({Code::kCancelled, "Reading the outputs was cancelled"});
    }
    if (rule_.deadline != kNever && SteadyClock().Now() >= rule_.deadline) {
      throw StatusError({Code::kDeadlineExceeded, "Reading the outputs took longer than timeoutMs"});
    }
  }

  const StopRule& rule_;
  size_t steps_ = 0;
};

}  // namespace millrace
