#include "generator_way.h"

#include <condition_variable>
#include <memory>
#include <mutex>

namespace millrace::bench {
namespace {

// Counts the requests that have finished.
class Waiter final : public GenerationSink {
 public:
  void Tokens(GenerationRequest&, std::span<const int32_t>) noexcept override {}
  void Finish(GenerationRequest*) noexcept override {
    const std::lock_guard lock(mutex_);
    ++finished_;
    changed_.notify_one();
  }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}
  void Flush() noexcept override {}

  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t finished_ = 0;  // guarded by mutex_
};

}  // namespace

Status RunGenerator(Generator& generator, const Generation& generation, bool together,
                    std::vector<std::vector<int32_t>>& tokens) {
  const auto prompts = PromptsOf(generation, generator.facts().vocabulary);
  const auto waiter = std::make_shared<Waiter>();
  std::vector<std::unique_ptr<GenerationRequest>> requests;
  for (const auto& prompt : prompts) {
    auto& request = *requests.emplace_back(std::make_unique<GenerationRequest>());
    request.sink = waiter.get();
    request.prompt = prompt;
    request.options.max_new_tokens = generation.tokens;
    if (generator.facts().encoder_decoder) request.options.decoder_start_token_id = 0;
  }
  Status status;
  size_t submitted = 0;
  for (auto& request : requests) {
    status = together ? generator.Enqueue(request.get()) : generator.Submit(request.get());
    if (!status.ok()) break;
    ++submitted;
    if (!together) waiter->Await(submitted);
  }
  generator.Wake();
  waiter->Await(submitted);
  MILLRACE_RETURN_IF_ERROR(status);
  tokens.clear();
  for (auto& request : requests) {
    MILLRACE_RETURN_IF_ERROR(request->status);
    tokens.push_back(std::move(request->tokens));
  }
  return {};
}

}  // namespace millrace::bench
