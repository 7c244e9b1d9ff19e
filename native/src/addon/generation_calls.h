// The generations of a JavaScript thread: their records, and how their tokens and ends reach the thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "generation/request.h"

namespace millrace {

class JsThread;
struct GenerationCall;

// Says that a generation has made tokens, or has ended. It is a node of JsThread's list of news, whose order is that in
// which the generator told it, so that the end of a generation comes after its tokens.
struct GenerationNews {
  GenerationNews* next;
  GenerationCall* call;
  // How many tokens there are by now. The news of the end does not say it.
  size_t tokens;
};

// The record of a generation that a JavaScript thread has submitted. GenerationSlots owns it.
struct GenerationCall : GenerationRequest {
  // Keeps `GenerationRequest::sink` alive.
  std::shared_ptr<GenerationSink> owner;
  // The news of tokens, one for each token at most, so that telling them needs no memory; null if the request does not
  // stream. The generator uses them one after another.
  std::unique_ptr<GenerationNews[]> news;
  size_t told = 0;
  // The news of the end.
  GenerationNews end = {};

  // What the JavaScript thread knows: how many tokens there are, how many of them it has delivered, and whether
  // the generation has ended.
  size_t known = 0;
  size_t delivered = 0;
  bool ended = false;
  // Whether it is in the list of those with something to deliver, and the next one there.
  bool ready = false;
  GenerationCall* next_ready = nullptr;
};

// The generations of a JavaScript thread that are in flight, by slot. Only one thread at a time may use it.
class GenerationSlots {
 public:
  // Returns a new record, or nullptr if this thread has too many generations in flight. May throw std::bad_alloc.
  GenerationCall* Add();
  // Frees a record, which must not be in the list of those with something to deliver.
  void Remove(const GenerationCall* call) noexcept;
  // Returns the record of a slot, or nullptr if there is none.
  GenerationCall* At(uint32_t slot) noexcept;
  // Asks the generators to end all of them.
  void CancelAll() noexcept;

  // Takes a chain of news, oldest first, and lists the generations that they are about.
  void Note(const GenerationNews* oldest) noexcept;
  // Returns the first generation with something to deliver, or nullptr.
  GenerationCall* Ready() noexcept { return first_; }
  // Takes it out of the list.
  void PopReady() noexcept;

  // Frees the records of all generations that have ended, whether or not that was delivered, and returns how many.
  uint32_t RemoveEnded() noexcept;

 private:
  static constexpr size_t kMaxSlots = 1 << 16;

  std::vector<std::unique_ptr<GenerationCall>> calls_;
  std::vector<uint32_t> free_;
  uint64_t turns_ = 0;
  GenerationCall* first_ = nullptr;
  GenerationCall* last_ = nullptr;
};

// The generations that one thread has submitted to one model. It passes on what a step of the generator has made in one
// chain, so that the step wakes the thread at most once.
class GenerationDelivery final : public GenerationSink {
 public:
  explicit GenerationDelivery(std::shared_ptr<JsThread> thread) noexcept;
  ~GenerationDelivery() override;

  void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept override;
  void Finish(GenerationRequest* request) noexcept override;
  void FailEarly(uint32_t slot, uint64_t turn, const Status& status) override;
  void Flush() noexcept override;

 private:
  void Add(GenerationNews& news, GenerationCall& call, size_t tokens) noexcept;

  const std::shared_ptr<JsThread> thread_;
  // The chain of this step, from the newest to the oldest. Used by the generator's thread only.
  GenerationNews* newest_ = nullptr;
  GenerationNews* oldest_ = nullptr;
};

}  // namespace millrace
