// The interface between the generator and what runs a generative model: ONNX Runtime in the product, and fakes in
// tests.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "batching/executor.h"
#include "batching/status.h"

namespace millrace {

// What a decoder is. It does not change after the load.
struct DecoderFacts {
  // Whether an encoder reads the input. Otherwise the input is the beginning of the decoder's own sequence.
  bool encoder_decoder = false;
  // Whether rows with caches of different lengths, which may be 0, can share a run, because the decoder has a mask over
  // its cache. Otherwise all rows of a run have caches of one length.
  bool mixed_lengths = false;
  // Whether a row with a cache can have several new tokens, so that a long prompt can be computed in parts.
  bool chunks = false;
  // The number of token ids, which is also the number of logits of a row.
  int64_t vocabulary = 0;
  // The most tokens of a row, and of a text of the encoder. 0 means that there is no limit, or that it is not known.
  int64_t max_positions = 0;
  int64_t max_encoder_positions = 0;
  // The bytes of the keys and values of one token of one row.
  int64_t cache_bytes = 0;
  // The bytes that are kept for each encoder token of one row: hidden states, and cross keys and values.
  int64_t encoder_bytes = 0;
};

// What a run of the decoder has left in the device's memory for all of its rows: their keys and values. It is freed
// with the last row that refers to it, on the generator's thread.
class CacheBlock {
 public:
  virtual ~CacheBlock() = default;
  // At most rows × longest row × DecoderFacts::cache_bytes.
  virtual int64_t bytes() const noexcept = 0;
};

// The same for a run of the encoder, or for rows that were gathered from several of them.
class EncodedBlock {
 public:
  virtual ~EncodedBlock() = default;
  // At most rows × longest text × DecoderFacts::encoder_bytes.
  virtual int64_t bytes() const noexcept = 0;
};

// The place of a sequence's keys and values. Without a block the decoder has not seen any token of it. Several places
// may name the same row of a block, which is how one row becomes the beams of a request.
struct CacheRow {
  std::shared_ptr<const CacheBlock> block;
  uint32_t row = 0;
  // The tokens that the decoder has seen, which is also the position of the next one. Padding does not count.
  int64_t length = 0;
};

// The place of what the encoder has made of a text.
struct EncodedRow {
  std::shared_ptr<const EncodedBlock> block;
  uint32_t row = 0;
  // The tokens of the text. Padding does not count.
  int64_t length = 0;
};

// A row of a step.
struct DecoderRow {
  // The new tokens of the sequence, at least one. They are valid during the call.
  std::span<const int32_t> tokens;
  CacheRow cache;
  // Only of an encoder–decoder model.
  EncodedRow encoded;
};

// Sums that only grow.
struct CopyCounters {
  // The runs of the decoder, and those that passed all keys and values on as they were.
  uint64_t steps = 0;
  uint64_t reused = 0;
  // The bytes of keys, values and encoder states that were copied because rows joined, left or changed their order.
  uint64_t gathered_bytes = 0;
  uint64_t device_to_host_bytes = 0;
  uint64_t host_to_device_bytes = 0;
};

// Runs a generative model, one run at a time.
//
// THREADS Only the generator's thread calls Encode and Step, never two at a time, and frees blocks. Any thread may read
// `facts` and `copies`, and terminate a run through its handle.
// ERRORS The decoder can be used again after a failed call. Both return kDeadlineExceeded if the run was terminated.
// They may throw; the generator then fails the requests of the call.
class Decoder {
 public:
  virtual ~Decoder() = default;

  virtual const DecoderFacts& facts() const noexcept = 0;
  virtual std::unique_ptr<RunHandle> NewHandle() = 0;

  // Runs the encoder on texts of any lengths, each of at least one token, and writes the place of each to `rows`. Only
  // for encoder–decoder models.
  virtual Status Encode(std::span<const std::span<const int32_t>> texts, RunHandle& handle,
                        std::span<EncodedRow> rows) = 0;

  // Runs the decoder on the new tokens of some rows, whose number is the same for all of them. Replaces each row's
  // cache by its place in the run's new block, with the new length, and `encoded` by another place of the same text if
  // that saves the next step a copy. `logits` becomes [rows, vocabulary] in the CPU's memory, the logits after the
  // LAST token of each row, valid until the next call.
  //
  // COPIES Rows that are exactly the rows 0 to n-1 of one block, in this order, are passed on without a copy. Any other
  // order of rows is gathered on the device.
  // MEMORY The caller's only references to the places are those in `rows`. An implementation that gathers drops them
  // before it runs, so that old, gathered and new keys and values never exist together. If the call fails, `rows` is
  // what the call has left of it, and the caller drops the rest.
  virtual Status Step(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits) = 0;

  // Any thread may call it.
  virtual CopyCounters copies() const noexcept = 0;
};

}  // namespace millrace
