// The record of a generation: one object holds the prompt, the options and the outcome from its submission until its
// result has been delivered.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "batching/clock.h"
#include "batching/status.h"
#include "generation/options.h"

namespace millrace {

struct GenerationRequest;

// Receives tokens and finished requests. Its methods are called on the generator's thread, must not block for long, and
// are called for one request after another. A sink is kept alive during the calls.
class GenerationSink : public std::enable_shared_from_this<GenerationSink> {
 public:
  virtual ~GenerationSink() = default;

  // New tokens of a request that streams, at least one. `tokens` is a part of GenerationRequest::tokens, which neither
  // moves nor changes until the owner uses the record again, so that a sink may keep the span instead of a copy.
  virtual void Tokens(GenerationRequest& request, std::span<const int32_t> tokens) noexcept = 0;

  // Gives a request with its outcome back. It comes after all Tokens of the request.
  virtual void Finish(GenerationRequest* request) noexcept = 0;

  // Fails the request of `slot` with `status` while its memory is still in use, because its step passed the limit. Finish
  // follows when the memory is free. `turn` distinguishes the request from later ones in the same slot. It is called
  // on the watchdog's thread, possibly beside the other methods.
  virtual void FailEarly(uint32_t slot, uint64_t turn, const Status& status) = 0;

  // Called once after the calls of Tokens and Finish that one step has caused, so that they can share a wake-up.
  virtual void Flush() noexcept = 0;
};

enum class FinishReason : uint8_t {
  // A token of `eos_token_ids` was generated.
  kStop,
  // There are `max_new_tokens` tokens, or the last one was forced.
  kLength,
};

// THREADS One thread at a time uses a request: the submitter until Generator::Submit returns OK, then the generator's
// thread, then the sink. Only `cancelled` is shared, and what Tokens has shown.
struct GenerationRequest {
  // The link of the list that holds the request: the intake, and then the sink's list.
  GenerationRequest* next = nullptr;

  // The owner of the record, which sets it once.
  GenerationSink* sink = nullptr;
  uint32_t slot = 0;
  // The number of requests that have used this record.
  uint64_t turn = 0;

  // The encoder's input of an encoder–decoder model, and otherwise the beginning of the sequence.
  std::vector<int32_t> prompt;
  GenerationOptions options;
  // Whether the sink sees tokens as they are made. Beam search has none before the end.
  bool stream = false;
  // 0 is the most urgent level.
  uint8_t priority = 0;
  Nanos deadline = kNever;

  // Set by Submit.
  Nanos submitted = 0;

  std::atomic<bool> cancelled{false};

  // The outcome. The tokens exclude the prompt, the decoder's start token, and the token that ended the sequence. After a
  // failure they are those that were generated before it. Submit reserves memory for `max_new_tokens`.
  Status status;
  std::vector<int32_t> tokens;
  FinishReason finish = FinishReason::kLength;
  // With beam search the sum of log probabilities divided by the length penalty, otherwise not a number.
  float score = std::numeric_limits<float>::quiet_NaN();
  // When its first step began, when its first token was chosen, and when it ended. The first two are `finished` if that
  // never happened. Queue time is started - submitted, prefill prefilled - started, decode finished - prefilled.
  Nanos started = 0;
  Nanos prefilled = 0;
  Nanos finished = 0;
  // The runs in which it took part, of the decoder and of the encoder.
  uint32_t steps = 0;
  uint32_t encoder_runs = 0;
  // The rows and requests of the largest step in which it took part.
  int64_t batch_rows = 0;
  uint32_t batch_requests = 0;
};

}  // namespace millrace
