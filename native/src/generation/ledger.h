// The account of the memory for keys, values and encoder states.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "generation/decoder.h"
#include "generation/request.h"

namespace millrace {

// The most that a request can need.
struct Demand {
  int64_t rows = 1;
  // The tokens of each of its rows whose keys and values are kept. Those of the last generated token are not.
  int64_t tokens = 0;
  // The tokens of its encoder's text.
  int64_t encoder_tokens = 0;

  static Demand Of(const GenerationRequest& request, const DecoderFacts& facts) noexcept {
    const auto prompt = static_cast<int64_t>(request.prompt.size());
    const int64_t generated = request.options.max_new_tokens - 1;
    Demand demand{request.options.num_beams, generated + (facts.encoder_decoder ? 1 : prompt), 0};
    if (facts.encoder_decoder) demand.encoder_tokens = prompt;
    return demand;
  }
};

// Says how much memory requests can need together, so that they start only if it suffices. Only the generator's thread
// uses it.
//
// AMOUNT Rows that can share a run are padded to the longest, so that n rows can need n times the longest demand. That is
// counted twice, because a step holds the past and the present. See Decoder::Step for what this asks of a decoder.
// RELEASE A request that has ended is counted until the blocks that held its rows are freed, which is when the requests
// that shared its last step have had another one.
class Ledger {
 public:
  Ledger(const DecoderFacts& facts, int64_t limit) noexcept : facts_(facts), limit_(limit) {}

  // Returns whether a request could start if nothing else were there.
  bool FitsAlone(const Demand& demand) const noexcept {
    Sums sums;
    sums.Add(demand);
    return BytesOf(sums) <= static_cast<double>(limit_);
  }

  // Returns whether a request can start now.
  bool Fits(const Demand& demand) const noexcept {
    Sums sums = Present();
    sums.Add(demand);
    return BytesOf(sums) <= static_cast<double>(limit_);
  }

  // Counts a request from now on. Throws std::bad_alloc.
  void Reserve(const void* request, const Demand& demand) {
    entries_.push_back({request, demand, {}, {}});
  }

  // Counts the request only until these blocks are freed.
  void Release(const void* request, const std::shared_ptr<const CacheBlock>& cache,
               const std::shared_ptr<const EncodedBlock>& encoded) noexcept {
    for (Entry& entry : entries_) {
      if (entry.request != request) continue;
      entry.request = nullptr;
      entry.cache = cache;
      entry.encoded = encoded;
    }
  }

  // Forgets what has been freed. Once all requests are released nobody reads a block, and a decoder that keeps one for
  // itself does not hold back the next request.
  void Sweep() noexcept {
    const bool idle = std::ranges::none_of(
        entries_, [](const Entry& entry) { return entry.request != nullptr; });
    std::erase_if(entries_, [idle](const Entry& entry) {
      return idle || (entry.request == nullptr && entry.cache.expired() && entry.encoded.expired());
    });
  }

  // Returns what is reserved.
  int64_t bytes() const noexcept { return static_cast<int64_t>(BytesOf(Present())); }
  // Returns the rows of the requests that have not been released.
  int64_t rows() const noexcept {
    int64_t rows = 0;
    for (const Entry& entry : entries_) rows += entry.request != nullptr ? entry.demand.rows : 0;
    return rows;
  }

 private:
  struct Entry {
    // Null once the request has ended.
    const void* request;
    Demand demand;
    std::weak_ptr<const CacheBlock> cache;
    std::weak_ptr<const EncodedBlock> encoded;
  };

  // Floating-point numbers, which no demand overflows, and which are exact up to 2^53.
  struct Sums {
    double rows = 0;
    double row_tokens = 0;
    double most_tokens = 0;
    double most_encoder_tokens = 0;

    void Add(const Demand& demand) noexcept {
      const auto own = static_cast<double>(demand.rows);
      const auto tokens = static_cast<double>(demand.tokens);
      rows += own;
      row_tokens += own * tokens;
      most_tokens = std::max(most_tokens, tokens);
      most_encoder_tokens = std::max(most_encoder_tokens, static_cast<double>(demand.encoder_tokens));
    }
  };

  Sums Present() const noexcept {
    Sums sums;
    for (const Entry& entry : entries_) sums.Add(entry.demand);
    return sums;
  }

  double BytesOf(const Sums& sums) const noexcept {
    const double tokens = facts_.mixed_lengths ? sums.rows * sums.most_tokens : sums.row_tokens;
    return 2 * (tokens * static_cast<double>(facts_.cache_bytes) +
                sums.rows * sums.most_encoder_tokens * static_cast<double>(facts_.encoder_bytes));
  }

  const DecoderFacts& facts_;
  const int64_t limit_;
  std::vector<Entry> entries_;
};

}  // namespace millrace
