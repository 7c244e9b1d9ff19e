// Hands tokens and finished requests to their sinks.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "generation/request.h"

namespace millrace {

// Remembers which sinks were called, and flushes each of them once. Only the generator's thread uses it.
class Delivery {
 public:
  // At most `most` sinks are called between two calls of Flush.
  explicit Delivery(size_t most) { touched_.reserve(most); }

  void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept {
    SinkOf(request).Tokens(request, tokens);
  }
  void Finish(GenerationRequest& request) noexcept { SinkOf(request).Finish(&request); }

  // A sink may be released when it has got its last request, but not before it is flushed.
  void Flush() noexcept {
    for (const auto& sink : touched_) sink->Flush();
    touched_.clear();
  }

 private:
  GenerationSink& SinkOf(const GenerationRequest& request) noexcept {
    const auto same = [&](const auto& sink) { return sink.get() == request.sink; };
    if (std::ranges::none_of(touched_, same)) touched_.push_back(request.sink->shared_from_this());
    return *request.sink;
  }

  std::vector<std::shared_ptr<GenerationSink>> touched_;
};

}  // namespace millrace
