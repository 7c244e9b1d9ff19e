// A decoder without weights. A block of its cache holds the tokens themselves, and the logits of a row are a hash of what
// the row's place in the block says, so that a row in the wrong place gives other tokens. It checks what a decoder may
// expect of its caller, and counts its memory as one on a device would have it.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "generation/decoder.h"
#include "generation/hash_model.h"
#include "support/executors.h"

namespace millrace::test {

// Bytes in use, now and at most.
class Meter {
 public:
  void Add(int64_t bytes) {
    const int64_t now = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    peak_.store(std::max(peak_.load(std::memory_order_relaxed), now), std::memory_order_relaxed);
  }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> peak_{0};
};

// The rows of a run, each of them a list of tokens, padded to the longest.
template <class Block>
class FakeBlock final : public Block {
 public:
  FakeBlock(std::vector<std::vector<int32_t>> lists, int64_t token_bytes, Meter& meter)
      : rows(std::move(lists)), meter_(meter) {
    size_t longest = 0;
    for (const auto& row : rows) longest = std::max(longest, row.size());
    bytes_ = static_cast<int64_t>(rows.size() * longest) * token_bytes;
    meter_.Add(bytes_);
  }
  ~FakeBlock() override { meter_.Add(-bytes_); }

  int64_t bytes() const noexcept override { return bytes_; }

  const std::vector<std::vector<int32_t>> rows;

 private:
  Meter& meter_;
  int64_t bytes_ = 0;
};

using FakeCache = FakeBlock<CacheBlock>;
using FakeEncoded = FakeBlock<EncodedBlock>;

// One run, as it was asked for.
struct FakeRun {
  bool encoder = false;
  // New tokens of each row; for the encoder, those of the longest text.
  int64_t tokens = 0;
  // The tokens of each row after the run.
  std::vector<std::vector<int32_t>> rows;
  // What the encoder has read for each row of the decoder.
  std::vector<std::vector<int32_t>> texts;

  // The input of each row: the text of the encoder or, without one, the row itself.
  const std::vector<std::vector<int32_t>>& Texts() const { return texts.empty() ? rows : texts; }
};

class FakeDecoder final : public Decoder {
 public:
  explicit FakeDecoder(const DecoderFacts& facts, uint64_t seed = 1) : facts_(facts), seed_(seed) {}

  // Called within each run, before its rows are changed. A test lets time pass in it, or makes the run fail.
  std::function<Status(const FakeRun&, FakeHandle&)> on_run;
  // Called with the block of each step.
  std::function<void(const std::shared_ptr<const CacheBlock>&)> on_block;
  // What was wrong with the calls.
  std::vector<std::string> faults;
  Meter meter;

  const DecoderFacts& facts() const noexcept override { return facts_; }
  std::unique_ptr<RunHandle> NewHandle() override { return std::make_unique<FakeHandle>(); }

  Status Encode(std::span<const std::span<const int32_t>> texts, RunHandle& handle,
                std::span<EncodedRow> rows) override {
    Expect(facts_.encoder_decoder, "the encoder ran without being there");
    Expect(!texts.empty() && texts.size() == rows.size(), "there is no row for each text");
    FakeRun run{true, 0, {}, {}};
    for (const auto& text : texts) {
      Expect(!text.empty(), "a text was empty");
      run.tokens = std::max(run.tokens, static_cast<int64_t>(text.size()));
      run.rows.emplace_back(text.begin(), text.end());
    }
    if (Status status = Start(run, handle); !status.ok()) return status;
    const auto block = std::make_shared<FakeEncoded>(run.rows, facts_.encoder_bytes, meter);
    for (uint32_t i = 0; i < rows.size(); ++i) {
      rows[i] = {block, i, static_cast<int64_t>(texts[i].size())};
    }
    return {};
  }

  Status Step(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits) override {
    Expect(!rows.empty(), "a step had no rows");
    FakeRun run{false, static_cast<int64_t>(rows.front().tokens.size()), {}, {}};
    for (const DecoderRow& row : rows) {
      Check(row, rows.front());
      std::vector<int32_t> tokens = PastOf(row);
      tokens.insert(tokens.end(), row.tokens.begin(), row.tokens.end());
      run.rows.push_back(std::move(tokens));
      if (row.encoded.block == nullptr) continue;
      const auto text = TextOf(row.encoded);
      run.texts.emplace_back(text.begin(), text.end());
    }
    steps_.fetch_add(1, std::memory_order_relaxed);
    if (Status status = Start(run, handle); !status.ok()) return status;
    GatherEncoded(rows);
    const auto past = GatherCache(rows);
    const auto present = std::make_shared<FakeCache>(run.rows, facts_.cache_bytes, meter);
    if (on_block) on_block(present);
    logits_.resize(rows.size() * static_cast<size_t>(facts_.vocabulary));
    for (uint32_t i = 0; i < rows.size(); ++i) {
      rows[i].cache = {present, i, static_cast<int64_t>(run.rows[i].size())};
      HashState state(seed_);
      if (facts_.encoder_decoder) state.Fold(TextOf(rows[i].encoded));
      state.Fold(run.rows[i]);
      state.WriteLogits(std::span(logits_).subspan(i * static_cast<size_t>(facts_.vocabulary),
                                                   static_cast<size_t>(facts_.vocabulary)));
    }
    logits = logits_;
    return {};
  }

  CopyCounters copies() const noexcept override {
    CopyCounters counters;
    counters.steps = steps_.load(std::memory_order_relaxed);
    counters.reused = reused_.load(std::memory_order_relaxed);
    return counters;
  }

 private:
  void Expect(bool right, const char* fault) {
    if (!right) faults.push_back(fault);
  }

  Status Start(const FakeRun& run, RunHandle& handle) {
    auto& own = static_cast<FakeHandle&>(handle);
    own.terminated.store(false);
    return on_run ? on_run(run, own) : Status();
  }

  void Check(const DecoderRow& row, const DecoderRow& first) {
    const int64_t length = row.cache.length;
    Expect(!row.tokens.empty() && row.tokens.size() == first.tokens.size(),
           "rows had different numbers of new tokens");
    Expect(facts_.mixed_lengths || length == first.cache.length, "rows had different lengths");
    Expect(facts_.chunks || length == 0 || row.tokens.size() == 1, "a prompt was computed in parts");
    Expect((row.cache.block == nullptr) == (length == 0), "a row had no block, or one in vain");
    Expect(facts_.encoder_decoder == (row.encoded.block != nullptr), "a row had no text");
    Expect(facts_.max_positions == 0 ||
               length + static_cast<int64_t>(row.tokens.size()) <= facts_.max_positions,
           "a row was too long");
    for (const int32_t token : row.tokens) {
      Expect(token >= 0 && token < facts_.vocabulary, "a token was not one of the vocabulary");
    }
  }

  std::vector<int32_t> PastOf(const DecoderRow& row) {
    if (row.cache.block == nullptr) return {};
    const auto& block = static_cast<const FakeCache&>(*row.cache.block);
    if (row.cache.row >= block.rows.size() ||
        block.rows[row.cache.row].size() != static_cast<size_t>(row.cache.length)) {
      faults.push_back("a row was not in its place");
      return {};
    }
    return block.rows[row.cache.row];
  }

  std::span<const int32_t> TextOf(const EncodedRow& row) const {
    return static_cast<const FakeEncoded&>(*row.block).rows[row.row];
  }

  // Whether the rows are exactly those of one block, in its order. `place` finds the place of a row.
  template <class Block, class Place>
  static bool AsTheyAre(std::span<DecoderRow> rows, Place place) {
    const auto& block = place(rows.front()).block;
    if (block == nullptr) return true;
    if (static_cast<const Block&>(*block).rows.size() != rows.size()) return false;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if (place(rows[i]).block != block || place(rows[i]).row != i) return false;
    }
    return true;
  }

  // Returns what the run reads of the past. The places are dropped, as memory is scarce.
  std::shared_ptr<const CacheBlock> GatherCache(std::span<DecoderRow> rows) {
    const auto place = [](DecoderRow& row) -> CacheRow& { return row.cache; };
    if (AsTheyAre<FakeCache>(rows, place)) {
      reused_.fetch_add(1, std::memory_order_relaxed);
      auto past = rows.front().cache.block;
      for (DecoderRow& row : rows) row.cache = {};
      return past;
    }
    std::vector<std::vector<int32_t>> lists;
    for (const DecoderRow& row : rows) lists.push_back(PastOf(row));
    auto past = std::make_shared<FakeCache>(std::move(lists), facts_.cache_bytes, meter);
    for (DecoderRow& row : rows) row.cache = {};
    return past;
  }

  void GatherEncoded(std::span<DecoderRow> rows) {
    if (!facts_.encoder_decoder) return;
    const auto place = [](DecoderRow& row) -> EncodedRow& { return row.encoded; };
    if (AsTheyAre<FakeEncoded>(rows, place)) return;
    std::vector<std::vector<int32_t>> lists;
    for (const DecoderRow& row : rows) {
      const auto text = TextOf(row.encoded);
      lists.emplace_back(text.begin(), text.end());
    }
    const auto block = std::make_shared<FakeEncoded>(std::move(lists), facts_.encoder_bytes, meter);
    for (uint32_t i = 0; i < rows.size(); ++i) {
      rows[i].encoded = {block, i, rows[i].encoded.length};
    }
  }

  const DecoderFacts facts_;
  const uint64_t seed_;
  std::vector<float> logits_;
  std::atomic<uint64_t> steps_{0};
  std::atomic<uint64_t> reused_{0};
};

}  // namespace millrace::test
