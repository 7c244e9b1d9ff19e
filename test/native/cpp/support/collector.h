// A sink that keeps what it receives, and lets a test wait for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "batching/request.h"

namespace millrace::test {

class Collector final : public CompletionSink {
 public:
  void Finish(Request* newest, Request* oldest) noexcept override {
    std::vector<Request*> chain;
    for (Request* request = newest;; request = request->next) {
      chain.push_back(request);
      if (request == oldest) break;
    }
    const std::lock_guard lock(mutex_);
    finished_.insert(finished_.end(), chain.rbegin(), chain.rend());
    ++chains_;
    arrived_.notify_all();
  }

  void FailEarly(uint32_t slot, uint64_t, const Status&) override {
    const std::lock_guard lock(mutex_);
    early_.push_back(slot);
    arrived_.notify_all();
  }

  // The slots that failed early so far, once there are `count` or more.
  std::vector<uint32_t> AwaitEarly(size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return early_.size() >= count; });
    return early_;
  }

  // Everything received so far, in the order of arrival, once that is `count` requests or more.
  std::vector<Request*> Await(size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return finished_.size() >= count; });
    return finished_;
  }

  size_t chains() const {
    const std::lock_guard lock(mutex_);
    return chains_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Request*> finished_;  // guarded by mutex_
  std::vector<uint32_t> early_;     // guarded by mutex_
  size_t chains_ = 0;               // guarded by mutex_
};

}  // namespace millrace::test
