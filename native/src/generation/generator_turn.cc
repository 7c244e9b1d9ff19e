// What the generator's thread does between two looks at the intake.
#include <algorithm>
#include <new>
#include <utility>

#include "generation/generator.h"

namespace millrace {
namespace {

// The weight of one request in the running mean of their times.
constexpr Nanos kUsualOf = 16;

bool IsOver(const GenerationRequest& request, Nanos now) noexcept {
  return request.cancelled.load(std::memory_order_relaxed) || request.deadline <= now;
}

Status OverStatus(const GenerationRequest& request) noexcept {
  if (request.cancelled.load(std::memory_order_relaxed)) {
    return Status::Of(Code::kCancelled, "The request was cancelled");
  }
  if (request.started == 0) {
    return Status::Of(Code::kDeadlineExceeded,
                      "The deadline passed before the request ran: allow more time or lower the load");
  }
  return Status::Of(Code::kDeadlineExceeded,
                    "The deadline passed during the generation: allow more time or ask for fewer tokens");
}

}  // namespace

bool Generator::Turn() noexcept {
  AskForTurn();
  TakeArrived();
  const Nanos now = clock_.Now();
  DropOver(now);
  ledger_.Sweep();
  StartWaiting(now);
  ShowLedger();
  const bool runs = Choose();
  if (runs) RunStep();
  Deliver();
  const bool more = !running_.empty() || !waiting_.empty();
  if (!more) EndTurn();
  return runs || more;
}

// The thread keeps its turn of the device until it asks for the next one.
void Generator::AskForTurn() {
  if (options_.share == nullptr) return;
  if (intake_.size() == 0 && running_.empty()) return EndTurn();
  if (has_turn_) {
    options_.share->Renew(member_, used_);
  } else {
    options_.share->Acquire(member_);
  }
  has_turn_ = true;
  used_ = 0;
}

void Generator::EndTurn() {
  if (std::exchange(has_turn_, false)) options_.share->Release(member_, std::exchange(used_, 0));
}

void Generator::TakeArrived() noexcept {
  for (GenerationRequest* request = intake_.TakeAll(); request != nullptr;) {
    GenerationRequest* const next = request->next;
    request->status = {};
    request->finish = FinishReason::kLength;
    request->score = std::numeric_limits<float>::quiet_NaN();
    request->started = request->prefilled = request->finished = 0;
    request->steps = request->encoder_runs = request->batch_requests = 0;
    request->batch_rows = 0;
    const Nanos due = request->submitted + request->priority * options_.aging;
    const auto place = std::ranges::upper_bound(waiting_, due, {}, &Waiting::due);
    waiting_.insert(place, {due, request});
    request = next;
  }
}

void Generator::DropOver(Nanos now) noexcept {
  const auto dropped = std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (!IsOver(*waiting.request, now)) return false;
    End(*waiting.request, OverStatus(*waiting.request), now);
    return true;
  });
  intake_.Leave(static_cast<uint32_t>(dropped));
  for (Running& running : running_) {
    GenerationRequest& request = running.sequence->request();
    if (!IsOver(request, now)) continue;
    End(request, OverStatus(request), now);
    running.over = true;
  }
  RemoveEnded();
}

// A request that does not fit yet holds back those behind it, because it would otherwise wait for ever.
void Generator::StartWaiting(Nanos now) noexcept {
  size_t count = 0;
  for (const Waiting& waiting : waiting_) {
    const Demand demand = Demand::Of(*waiting.request, decoder_.facts());
    const bool room = ledger_.rows() + demand.rows <= static_cast<int64_t>(options_.max_rows);
    if (!room || !ledger_.Fits(demand)) break;
    ++count;
    try {
      Begin(waiting);
    } catch (const std::bad_alloc&) {
      End(*waiting.request, Status::Of(Code::kResourceExhausted, "Out of memory: send fewer requests"),
          now);
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  intake_.Leave(static_cast<uint32_t>(count));
}

void Generator::Begin(const Waiting& waiting) {
  GenerationRequest& request = *waiting.request;
  auto sequence = std::make_unique<Sequence>(request, decoder_.facts(), seeds_.Next());
  ledger_.Reserve(&request, Demand::Of(request, decoder_.facts()));
  running_.push_back({std::move(sequence), history_.runs});
  running_count_.fetch_add(1, std::memory_order_relaxed);
}

// Asks the policy for the next run. Returns whether there is one.
bool Generator::Choose() noexcept {
  candidates_.clear();
  for (const Running& running : running_) {
    const Sequence& sequence = *running.sequence;
    Candidate candidate;
    candidate.last_run = running.last_run;
    if (sequence.needs_encoder()) {
      candidate.need = Candidate::Need::kEncoder;
      candidate.unseen = static_cast<int64_t>(sequence.request().prompt.size());
    } else {
      candidate.seen = sequence.seen();
      candidate.unseen = sequence.unseen();
      candidate.rows = static_cast<int64_t>(sequence.rows());
      if (candidate.unseen > 1) candidate.need = Candidate::Need::kPrompt;
    }
    candidates_.push_back(candidate);
  }
  const DecoderFacts& facts = decoder_.facts();
  ChooseStep(candidates_, history_,
             {options_.max_prefill_tokens, facts.mixed_lengths, facts.chunks}, step_);
  return step_.kind != Step::Kind::kNone;
}

void Generator::RunStep() noexcept {
  const Nanos began = clock_.Now();
  in_step_.clear();
  for (const uint32_t member : step_.members) {
    running_[member].last_run = history_.runs;
    GenerationRequest& request = running_[member].sequence->request();
    if (request.started == 0) request.started = began;
    in_step_.push_back(&request);
  }
  watch_.Begin(in_step_, began);
  Status status;
  try {
    status = step_.kind == Step::Kind::kEncoder ? RunEncoder() : RunDecoder();
  } catch (...) {
    status = Caught();
  }
  // Its requests have failed for their callers, whatever the step returns.
  if (watch_.End()) status = Status::Of(Code::kDeadlineExceeded, StepWatch::kMessage);
  const Nanos ended = clock_.Now();
  history_.Note(step_);
  Account(began, ended);
  if (!status.ok()) {
    for (const uint32_t member : step_.members) {
      End(running_[member].sequence->request(), Status::CopyOf(status), ended);
      running_[member].over = true;
    }
  } else if (step_.kind == Step::Kind::kEncoder) {
    for (size_t i = 0; i < step_.members.size(); ++i) {
      running_[step_.members[i]].sequence->SetEncoded(std::move(encoded_[i]));
    }
  } else {
    TakeRows(ended);
  }
  // The memory of rows that nobody needs any more is freed before requests are given back.
  RemoveEnded();
  rows_.clear();
  encoded_.clear();
}

Status Generator::RunEncoder() {
  texts_.clear();
  for (const GenerationRequest* request : in_step_) texts_.push_back(request->prompt);
  encoded_.clear();
  encoded_.resize(texts_.size());
  return decoder_.Encode(texts_, *handle_, encoded_);
}

Status Generator::RunDecoder() {
  rows_.clear();
  for (const uint32_t member : step_.members) {
    running_[member].sequence->AddRows(step_.tokens, rows_);
  }
  MILLRACE_RETURN_IF_ERROR(decoder_.Step(rows_, *handle_, logits_));
  if (logits_.size() == rows_.size() * static_cast<size_t>(decoder_.facts().vocabulary)) return {};
  return Status::Of(Code::kInternal, "The model returned another number of logits than its vocabulary");
}

void Generator::Account(Nanos began, Nanos ended) noexcept {
  const bool encoder = step_.kind == Step::Kind::kEncoder;
  const size_t rows = encoder ? in_step_.size() : rows_.size();
  uint64_t prompt = 0;
  for (const uint32_t member : step_.members) {
    const Sequence& sequence = *running_[member].sequence;
    GenerationRequest& request = sequence.request();
    ++(encoder ? request.encoder_runs : request.steps);
    if (encoder) {
      prompt += request.prompt.size();
    } else if (!decoder_.facts().encoder_decoder && !sequence.decoding()) {
      prompt += static_cast<uint64_t>(step_.tokens);
    }
    if (static_cast<int64_t>(rows) > request.batch_rows) {
      request.batch_rows = static_cast<int64_t>(rows);
      request.batch_requests = static_cast<uint32_t>(in_step_.size());
    }
  }
  (encoder ? encoder_runs_ : steps_).fetch_add(1, std::memory_order_relaxed);
  row_count_.fetch_add(rows, std::memory_order_relaxed);
  prompt_tokens_.fetch_add(prompt, std::memory_order_relaxed);
  const Nanos started = std::min(handle_->Started(began), ended);
  used_ = ended - started;
  compute_time_.Observe(used_);
  tally_.Observe(static_cast<int64_t>(rows), 0, {0, used_, 0}, ended);
}

void Generator::TakeRows(Nanos now) noexcept {
  const auto vocabulary = static_cast<size_t>(decoder_.facts().vocabulary);
  size_t first = 0;
  for (const uint32_t member : step_.members) {
    Running& running = running_[member];
    const size_t count = running.sequence->rows();
    Status status =
        TakeTokens(running, std::span(rows_).subspan(first, count),
                   logits_.subspan(first * vocabulary, count * vocabulary), now);
    first += count;
    running.over = !status.ok() || running.sequence->ended();
    if (running.over) End(running.sequence->request(), std::move(status), now);
  }
}

// Lets a sequence choose its next tokens, and shows them to its sink.
Status Generator::TakeTokens(Running& running, std::span<DecoderRow> rows,
                             std::span<const float> logits, Nanos now) noexcept {
  Sequence& sequence = *running.sequence;
  GenerationRequest& request = sequence.request();
  const bool first = !sequence.decoding();
  const size_t before = request.tokens.size();
  Status status;
  try {
    status = sequence.TakeRows(rows, logits, memory_);
  } catch (...) {
    status = Caught();
  }
  if (first && sequence.decoding()) request.prefilled = now;
  tokens_.fetch_add(request.tokens.size() - before, std::memory_order_relaxed);
  const std::span<const int32_t> news = sequence.TakeNews();
  if (!news.empty()) delivery_.Tokens(request, news);
  return status;
}

// Gives a request its outcome. It is delivered at the end of the turn.
void Generator::End(GenerationRequest& request, Status status, Nanos now) noexcept {
  request.status = std::move(status);
  request.finished = now;
  if (request.started == 0) request.started = now;
  if (request.prefilled == 0) request.prefilled = now;
  queue_time_.Observe(request.started - request.submitted);
  if (request.status.ok()) {
    const Nanos time = request.finished - request.started;
    const Nanos usual = usual_.load(std::memory_order_relaxed);
    usual_.store(usual == 0 ? time : usual + (time - usual) / kUsualOf, std::memory_order_relaxed);
    completed_time_.fetch_add(time, std::memory_order_relaxed);
  }
  Count(request);
  ended_.push_back(&request);
}

void Generator::RemoveEnded() noexcept {
  const auto removed = std::erase_if(running_, [this](const Running& running) {
    if (!running.over) return false;
    const Sequence& sequence = *running.sequence;
    ledger_.Release(&sequence.request(), sequence.cache().block, sequence.encoded().block);
    return true;
  });
  running_count_.fetch_sub(removed, std::memory_order_relaxed);
}

void Generator::ShowLedger() noexcept {
  const int64_t bytes = ledger_.bytes();
  cache_bytes_.store(bytes, std::memory_order_relaxed);
  if (bytes > cache_bytes_peak_.load(std::memory_order_relaxed)) {
    cache_bytes_peak_.store(bytes, std::memory_order_relaxed);
  }
}

void Generator::Deliver() noexcept {
  if (!ended_.empty()) {
    ledger_.Sweep();
    ShowLedger();
  }
  for (GenerationRequest* request : ended_) delivery_.Finish(*request);
  ended_.clear();
  delivery_.Flush();
}

}  // namespace millrace
