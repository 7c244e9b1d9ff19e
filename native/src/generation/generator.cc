#include "generation/generator.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <random>
#include <string>

namespace millrace {
namespace {

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

Status CheckPrompt(const std::vector<int32_t>& prompt, int64_t vocabulary) {
  if (prompt.empty()) return {Code::kInvalidArgument, "The input is empty: send at least one token"};
  for (size_t i = 0; i < prompt.size(); ++i) {
    if (prompt[i] >= 0 && prompt[i] < vocabulary) continue;
    return {Code::kInvalidArgument, "Token " + std::to_string(i) + " of the input must be from 0 to " +
                                        std::to_string(vocabulary - 1) + " but is " +
                                        std::to_string(prompt[i])};
  }
  return {};
}

Status CheckLength(const GenerationRequest& request, const DecoderFacts& facts) {
  const auto length = static_cast<int64_t>(request.prompt.size());
  const int64_t generated = request.options.max_new_tokens;
  if (facts.encoder_decoder) {
    if (facts.max_encoder_positions > 0 && length > facts.max_encoder_positions) {
      return {Code::kInvalidArgument,
              "The input has " + std::to_string(length) + " tokens, but the encoder takes at most " +
                  std::to_string(facts.max_encoder_positions) + ": shorten it"};
    }
    if (facts.max_positions > 0 && 1 + generated > facts.max_positions) {
      return {Code::kInvalidArgument, "'maxNewTokens' must be at most " +
                                          std::to_string(facts.max_positions - 1) +
                                          " for this model but is " + std::to_string(generated)};
    }
  } else if (facts.max_positions > 0 && length + generated > facts.max_positions) {
    return {Code::kInvalidArgument,
            "The input and 'maxNewTokens' are " + std::to_string(length + generated) +
                " tokens together, but the model takes at most " +
                std::to_string(facts.max_positions) + ": lower one of them"};
  }
  return {};
}

}  // namespace

Generator::Generator(Decoder& decoder, const Clock& clock, const GeneratorOptions& options)
    : decoder_(decoder),
      clock_(clock),
      options_(options),
      handle_(decoder.NewHandle()),
      member_(options.weight),
      ledger_(decoder.facts(), options.cache_bytes),
      delivery_(size_t{options.max_queue} + options.max_rows),
      seeds_(RandomSeed()),
      tally_(options.max_rows),
      epoch_(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() -
             clock.Now()),
      queue_time_(DurationBounds()),
      compute_time_(DurationBounds()),
      watch_(*handle_, options.run_limit, options.max_rows) {
  // Queueing and starting requests does not fail for lack of memory.
  waiting_.reserve(options_.max_queue);
  running_.reserve(options_.max_rows);
  candidates_.reserve(options_.max_rows);
  step_.members.reserve(options_.max_rows);
  in_step_.reserve(options_.max_rows);
  ended_.reserve(size_t{options_.max_queue} + options_.max_rows);
  if (options_.share != nullptr) options_.share->Join(member_, 1);
  if (!options_.threads) return;
  try {
    thread_ = std::thread([this] { Work(); });
    if (options_.run_limit > 0) watchdog_ = std::thread([this] { Watch(); });
  } catch (...) {
    Close();
    throw;
  }
}

Generator::~Generator() { Close(); }

Status Generator::Submit(GenerationRequest* request) noexcept {
  Status status = Enqueue(request);
  if (status.ok()) Wake();
  return status;
}

Status Generator::Enqueue(GenerationRequest* request) noexcept {
  const auto refuse = [this](Status status) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return status;
  };
  try {
    if (Status status = Check(*request); !status.ok()) return refuse(std::move(status));
    request->tokens.clear();
    request->tokens.reserve(static_cast<size_t>(request->options.max_new_tokens));
  } catch (const std::bad_alloc&) {
    return refuse(Status::Of(Code::kResourceExhausted, "Out of memory: ask for fewer tokens"));
  }
  switch (intake_.Reserve(options_.max_queue)) {
    case Intake<GenerationRequest>::Entry::kFull:
      return refuse(Status::Of(Code::kUnavailable, "The queue of the model is full: try again later"));
    case Intake<GenerationRequest>::Entry::kClosed:
      return refuse(Status::Of(Code::kFailedPrecondition, "The model is closed"));
    case Intake<GenerationRequest>::Entry::kOpen:
      break;
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  request->submitted = clock_.Now();
  intake_.Push(request);
  return {};
}

void Generator::Wake() noexcept { parker_.Unpark(); }

Status Generator::Check(const GenerationRequest& request) const {
  const DecoderFacts& facts = decoder_.facts();
  MILLRACE_RETURN_IF_ERROR(request.options.Validate(facts));
  if (request.options.num_beams > static_cast<int64_t>(options_.max_rows)) {
    return {Code::kInvalidArgument, "'numBeams' must be at most " + std::to_string(options_.max_rows) +
                                        " for this model but is " +
                                        std::to_string(request.options.num_beams)};
  }
  MILLRACE_RETURN_IF_ERROR(CheckPrompt(request.prompt, facts.vocabulary));
  MILLRACE_RETURN_IF_ERROR(CheckLength(request, facts));
  if (ledger_.FitsAlone(Demand::Of(request, facts))) return {};
  return {Code::kInvalidArgument,
          "The request may need more memory for keys and values than the " +
              std::to_string(options_.cache_bytes) +
              " bytes of the model: shorten the input, or lower 'maxNewTokens' or 'numBeams'"};
}

// A request waits for those before it, each of which gives its place up after the usual time.
Nanos Generator::ExpectedWait() const noexcept {
  const auto queued = static_cast<Nanos>(intake_.size());
  const auto running = static_cast<Nanos>(running_count_.load(std::memory_order_relaxed));
  return queued * usual_.load(std::memory_order_relaxed) / std::max<Nanos>(running, 1);
}

void Generator::Close() {
  const std::lock_guard lock(closing_);
  intake_.Close();
  parker_.Unpark();
  if (thread_.joinable()) thread_.join();
  if (watchdog_.joinable()) {
    {
      const std::lock_guard watching(watching_);
      watch_over_ = true;
    }
    watch_ended_.notify_one();
    watchdog_.join();
  }
  if (options_.share != nullptr) options_.share->Leave(member_);
}

void Generator::Work() {
  for (;;) {
    if (Turn()) continue;
    if (intake_.Drained()) return;
    parker_.Park([this] { return intake_.HasNews() || intake_.Occupied(); }, kNever);
  }
}

// Sleeps until the present step would pass the limit, or for half the limit, after which a step that starts meanwhile is
// not overdue yet.
void Generator::Watch() {
  std::unique_lock lock(watching_);
  while (!watch_over_) {
    const Nanos sleep = std::min(options_.run_limit / 2, Patrol());
    watch_ended_.wait_for(lock, std::chrono::nanoseconds(std::max<Nanos>(sleep, 1'000'000)));
  }
}

void Generator::Count(const GenerationRequest& request) noexcept {
  std::atomic<uint64_t>* counter = &failed_;
  switch (request.status.code()) {
    case Code::kOk:
      counter = &completed_;
      break;
    case Code::kCancelled:
      counter = &cancelled_;
      break;
    case Code::kDeadlineExceeded:
      counter = &expired_;
      break;
    default:
      break;
  }
  counter->fetch_add(1, std::memory_order_relaxed);
}

GeneratorStats Generator::Stats() const {
  GeneratorStats stats;
  stats.completed = completed_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.cancelled = cancelled_.load(std::memory_order_relaxed);
  stats.expired = expired_.load(std::memory_order_relaxed);
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  stats.queued = intake_.size();
  stats.running = running_count_.load(std::memory_order_relaxed);
  stats.steps = steps_.load(std::memory_order_relaxed);
  stats.encoder_runs = encoder_runs_.load(std::memory_order_relaxed);
  stats.rows = row_count_.load(std::memory_order_relaxed);
  stats.tokens = tokens_.load(std::memory_order_relaxed);
  stats.prompt_tokens = prompt_tokens_.load(std::memory_order_relaxed);
  stats.cache_bytes = cache_bytes_.load(std::memory_order_relaxed);
  stats.cache_bytes_limit = options_.cache_bytes;
  stats.cache_bytes_peak = cache_bytes_peak_.load(std::memory_order_relaxed);
  stats.copies = decoder_.copies();
  stats.stuck_instances = watch_.stuck() ? 1 : 0;
  stats.expected_wait = ExpectedWait();
  stats.submitted = submitted_.load(std::memory_order_relaxed);
  stats.sizes = tally_.Sizes();
  stats.completed_runs = {stats.completed, {0, completed_time_.load(std::memory_order_relaxed), 0}};
  if (const Nanos last = tally_.last(); last != 0) stats.last_run = epoch_ + last;
  stats.queue = queue_time_.Read();
  stats.compute = compute_time_.Read();
  return stats;
}

}  // namespace millrace
