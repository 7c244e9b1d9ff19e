#include "addon/generation_calls.h"

#include <utility>

#include "addon/js_thread.h"

namespace millrace {

GenerationCall* GenerationSlots::Add() {
  auto call = std::make_unique<GenerationCall>();
  GenerationCall* const added = call.get();
  added->turn = ++turns_;
  if (!free_.empty()) {
    added->slot = free_.back();
    free_.pop_back();
    calls_[added->slot] = std::move(call);
    return added;
  }
  if (calls_.size() == kMaxSlots) return nullptr;
  // Space is reserved here, so that Remove needs no memory.
  if (free_.capacity() <= calls_.size()) free_.reserve(2 * calls_.size() + 1);
  added->slot = static_cast<uint32_t>(calls_.size());
  calls_.push_back(std::move(call));
  return added;
}

void GenerationSlots::Remove(const GenerationCall* call) noexcept {
  const uint32_t slot = call->slot;
  calls_[slot].reset();
  free_.push_back(slot);
}

GenerationCall* GenerationSlots::At(uint32_t slot) noexcept {
  return slot < calls_.size() ? calls_[slot].get() : nullptr;
}

void GenerationSlots::CancelAll() noexcept {
  for (const auto& call : calls_) {
    if (call != nullptr) call->cancelled.store(true, std::memory_order_relaxed);
  }
}

void GenerationSlots::Note(const GenerationNews* news) noexcept {
  for (; news != nullptr; news = news->next) {
    GenerationCall& call = *news->call;
    if (news == &call.end) {
      call.ended = true;
    } else {
      call.known = news->tokens;
    }
    if (std::exchange(call.ready, true)) continue;
    call.next_ready = nullptr;
    (last_ == nullptr ? first_ : last_->next_ready) = &call;
    last_ = &call;
  }
}

void GenerationSlots::PopReady() noexcept {
  first_->ready = false;
  first_ = first_->next_ready;
  if (first_ == nullptr) last_ = nullptr;
}

uint32_t GenerationSlots::RemoveEnded() noexcept {
  while (first_ != nullptr) PopReady();
  uint32_t removed = 0;
  for (const auto& call : calls_) {
    if (call == nullptr || !call->ended) continue;
    Remove(call.get());
    ++removed;
  }
  return removed;
}

GenerationDelivery::GenerationDelivery(std::shared_ptr<JsThread> thread) noexcept
    : thread_(std::move(thread)) {}

GenerationDelivery::~GenerationDelivery() = default;

void GenerationDelivery::Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept {
  auto& call = static_cast<GenerationCall&>(request);
  const auto before = static_cast<size_t>(tokens.data() - request.tokens.data());
  Add(call.news[call.told++], call, before + tokens.size());
}

void GenerationDelivery::Finish(GenerationRequest* request) noexcept {
  auto& call = static_cast<GenerationCall&>(*request);
  Add(call.end, call, 0);
}

void GenerationDelivery::Add(GenerationNews& news, GenerationCall& call, size_t tokens) noexcept {
  news.call = &call;
  news.tokens = tokens;
  news.next = newest_;
  if (newest_ == nullptr) oldest_ = &news;
  newest_ = &news;
}

void GenerationDelivery::FailEarly(uint32_t slot, uint64_t turn, const Status& status) {
  thread_->FailGenerationEarly(slot, turn, status);
}

void GenerationDelivery::Flush() noexcept {
  if (newest_ == nullptr) return;
  GenerationNews* const newest = std::exchange(newest_, nullptr);
  thread_->Tell(newest, std::exchange(oldest_, nullptr));
}

}  // namespace millrace
