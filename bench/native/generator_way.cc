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

// Submits the next request of a client when one has finished.
class Clients final : public GenerationSink {
 public:
  static constexpr size_t kRequestsEach = 4;

  Clients(Generator& generator, std::vector<std::unique_ptr<GenerationRequest>>& requests, size_t clients)
      : generator_(generator), requests_(requests), clients_(clients), next_(clients) {}

  void Tokens(GenerationRequest&, std::span<const int32_t>) noexcept override {}
  void Finish(GenerationRequest*) noexcept override {
    const std::lock_guard lock(mutex_);
    ++finished_;
    if (next_ < requests_.size() && !generator_.Enqueue(requests_[next_++].get()).ok()) failed_ = true;
    changed_.notify_one();
  }
  void FailEarly(uint32_t, uint64_t, const Status&) override {}
  void Flush() noexcept override {}

  Status Run() {
    for (size_t i = 0; i < clients_; ++i) MILLRACE_RETURN_IF_ERROR(generator_.Submit(requests_[i].get()));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_ == requests_.size() || failed_; });
    return failed_ ? Status(Code::kInternal, "A request was refused") : Status();
  }

 private:
  Generator& generator_;
  std::vector<std::unique_ptr<GenerationRequest>>& requests_;
  const size_t clients_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_;          // guarded by mutex_
  size_t finished_ = 0;  // guarded by mutex_
  bool failed_ = false;  // guarded by mutex_
};

// Returns a number between half of `most` and `most`, another one for each `index`.
int64_t Varied(int64_t most, size_t index) {
  const int64_t least = (most + 1) / 2;
  return least + static_cast<int64_t>(index * 7919 % static_cast<size_t>(most - least + 1));
}

}  // namespace

Status RunClients(Generator& generator, const Generation& generation, std::vector<std::vector<int32_t>>& tokens) {
  Generation all = generation;
  all.rows *= Clients::kRequestsEach;
  const auto prompts = PromptsOf(all, generator.facts().vocabulary);
  std::vector<std::unique_ptr<GenerationRequest>> requests;
  const auto clients = std::make_shared<Clients>(generator, requests, static_cast<size_t>(generation.rows));
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto& request = *requests.emplace_back(std::make_unique<GenerationRequest>());
    request.sink = clients.get();
    request.prompt.assign(prompts[i].begin(), prompts[i].begin() + Varied(generation.prompt, i));
    request.options.max_new_tokens = Varied(generation.tokens, i + 5);
    if (generator.facts().encoder_decoder) request.options.decoder_start_token_id = 0;
  }
  MILLRACE_RETURN_IF_ERROR(clients->Run());
  tokens.clear();
  for (auto& request : requests) {
    MILLRACE_RETURN_IF_ERROR(request->status);
    tokens.push_back(std::move(request->tokens));
  }
  return {};
}

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
