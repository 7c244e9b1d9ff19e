// Memory for choosing tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "generation/top_k.h"

namespace millrace {

// Marks of tokens, which are cleared in no time.
class TokenMarks {
 public:
  // Makes room for `vocabulary` tokens, and clears all marks. Throws std::bad_alloc.
  void Clear(size_t vocabulary) {
    if (marks_.size() == vocabulary && ++present_ != 0) return;
    marks_.assign(vocabulary, 0);
    present_ = 1;
  }

  // Marks a token of the vocabulary. Returns whether it was not marked.
  bool Mark(int32_t token) noexcept {
    uint32_t& mark = marks_[static_cast<size_t>(token)];
    if (mark == present_) return false;
    mark = present_;
    return true;
  }

 private:
  std::vector<uint32_t> marks_;
  uint32_t present_ = 0;
};

// The sequences of a generator use it one after another, so that it grows to its size once.
struct SearchMemory {
  // The scores of the tokens of a row.
  std::vector<float> scores;
  TokenMarks marks;
  TopK best;
  // The tokens that can be drawn.
  std::vector<Scored> candidates;
};

}  // namespace millrace
