// Requests of generations, what their sinks see, and what they should become.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "generation/fake_decoder.h"
#include "generation/request.h"
#include "generation/sequence.h"

namespace millrace::test {

// A sink that keeps what it sees, and lets a test wait for it.
class GenerationCollector final : public GenerationSink {
 public:
  void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept override {
    const std::lock_guard lock(mutex_);
    shown_.emplace_back(request.slot, std::vector<int32_t>(tokens.begin(), tokens.end()));
    unflushed_ = true;
    changed_.notify_all();
  }
  void Finish(GenerationRequest* request) noexcept override {
    const std::lock_guard lock(mutex_);
    finished_.push_back(request);
    unflushed_ = true;
    changed_.notify_all();
  }
  void FailEarly(uint32_t slot, uint64_t, const Status&) override {
    const std::lock_guard lock(mutex_);
    early_.push_back(slot);
    changed_.notify_all();
  }
  void Flush() noexcept override {
    const std::lock_guard lock(mutex_);
    ++flushes_;
    unflushed_ = false;
    changed_.notify_all();
  }

  // The requests that came back so far, once there are `count` of them and all were flushed.
  std::vector<GenerationRequest*> Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_.size() >= count && !unflushed_; });
    return finished_;
  }
  std::vector<uint32_t> AwaitEarly(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return early_.size() >= count; });
    return early_;
  }

  std::vector<int32_t> ShownOf(uint32_t slot) const {
    const std::lock_guard lock(mutex_);
    std::vector<int32_t> all;
    for (const auto& [of, tokens] : shown_) {
      if (of == slot) all.insert(all.end(), tokens.begin(), tokens.end());
    }
    return all;
  }
  size_t finished() const {
    const std::lock_guard lock(mutex_);
    return finished_.size();
  }
  size_t flushes() const {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<uint32_t, std::vector<int32_t>>> shown_;  // guarded by mutex_
  std::vector<GenerationRequest*> finished_;                      // guarded by mutex_
  std::vector<uint32_t> early_;                                   // guarded by mutex_
  size_t flushes_ = 0;                                            // guarded by mutex_
  bool unflushed_ = false;                                        // guarded by mutex_
};

// Owns requests, which can be neither copied nor moved.
class Generations {
 public:
  explicit Generations(GenerationSink* sink = nullptr) : sink_(sink) {}

  // A request with a prompt of `length` tokens that no other request has.
  GenerationRequest* Make(size_t length, int64_t new_tokens) {
    GenerationRequest& request = requests_.emplace_back();
    request.sink = sink_;
    request.slot = static_cast<uint32_t>(requests_.size() - 1);
    for (size_t i = 0; i < length; ++i) {
      request.prompt.push_back(static_cast<int32_t>((request.slot * 7 + i * 3) % 30 + 1));
    }
    request.options.max_new_tokens = new_tokens;
    request.options.decoder_start_token_id = 0;
    return &request;
  }

  GenerationRequest& operator[](size_t index) { return requests_[index]; }
  size_t size() const { return requests_.size(); }

 private:
  GenerationSink* sink_;
  std::deque<GenerationRequest> requests_;
};

struct Outcome {
  std::vector<int32_t> tokens;
  FinishReason finish = FinishReason::kLength;

  bool operator==(const Outcome&) const = default;
};

inline Outcome OutcomeOf(const GenerationRequest& request) { return {request.tokens, request.finish}; }

// What a request becomes alone, without a generator.
inline Outcome Alone(const GenerationRequest& request, FakeDecoder& decoder) {
  GenerationRequest copy;
  copy.prompt = request.prompt;
  copy.options = request.options;
  Sequence sequence(copy, decoder.facts(), 0);
  SearchMemory memory;
  const auto handle = decoder.NewHandle();
  if (sequence.needs_encoder()) {
    const std::span<const int32_t> text(copy.prompt);
    EncodedRow row;
    if (!decoder.Encode({&text, 1}, *handle, {&row, 1}).ok()) return {};
    sequence.SetEncoded(std::move(row));
  }
  while (!sequence.ended()) {
    std::vector<DecoderRow> rows;
    std::span<const float> logits;
    sequence.AddRows(sequence.unseen(), rows);
    if (!decoder.Step(rows, *handle, logits).ok()) return {};
    if (!sequence.TakeRows(rows, logits, memory).ok()) return {};
  }
  return OutcomeOf(copy);
}

}  // namespace millrace::test
