// A generative model in ONNX Runtime's sessions, with its keys and values in the device's memory.
#pragma once

#include <atomic>
#include <vector>

#include "ort/decoder_block.h"
#include "ort/decoder_edit.h"
#include "ort/decoder_inputs.h"
#include "ort/decoder_load.h"

namespace millrace {

// What a step leaves: for each layer the keys and values of all rows, padded before their tokens to the longest row.
class KeyValueBlock final : public CacheBlock {
 public:
  int64_t bytes() const noexcept override { return tensors.bytes(); }
  TensorBlock tensors;
};

// Texts as the encoder leaves them, padded after their tokens to the longest text: hidden states at first, and cross
// keys and values after the decoder's first step.
class EncodedTexts final : public EncodedBlock {
 public:
  int64_t bytes() const noexcept override { return tensors.bytes(); }

  TensorBlock tensors;
  bool cross = false;
  std::vector<int64_t> lengths;
  // For each row, which text it holds. Beams of a request hold the same one.
  std::vector<uint64_t> texts;
  // [rows, tokens]: 0 for padding.
  IndexTensor mask;
  // Differs from that of all other blocks.
  uint64_t number = 0;
};

// HOW IT WORKS
//   1. Step finds the rows' keys and values. If they are the rows of one block, in order, its tensors are bound as they
//      are. Otherwise the rows are gathered into a block of their own, on the device.
//   2. It binds the outputs of the run to a new block, and to memory for the logits, and runs the graph.
//   3. The new block becomes the rows' cache. The old one is used again for a later step when no row refers to it.
//
// Why: .github/decisions/0042-keys-and-values-are-outputs-that-become-inputs.md
class DecoderSession final : public LoadedDecoder {
 public:
  // Loads the model onto `device`, which is the CPU or one GPU. The errors are those of LoadDecoder.
  static Status Load(const OrtLibrary& library, const DecoderOptions& options, const DeviceSpec& device,
                     std::unique_ptr<DecoderSession>& session);
  ~DecoderSession() override;

  const DecoderFacts& facts() const noexcept override { return facts_; }
  const DeviceReport& report() const noexcept override { return report_; }
  bool healthy() const noexcept override { return pool_->memory().healthy(); }
  std::unique_ptr<RunHandle> NewHandle() override;
  Status Encode(std::span<const std::span<const int32_t>> texts, RunHandle& handle,
                std::span<EncodedRow> rows) override;
  Status Step(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits) override;
  CopyCounters copies() const noexcept override;

  // Reports that another device was requested, and why it cannot be used.
  void FellBack(std::string reason) { report_.fallback = std::move(reason); }
  const DecoderPool& pool() const noexcept { return *pool_; }

  // -------------------------------------------------------------------------------------------
  // Implementation details follow.
 private:
  // A graph of the decoder.
  struct Graph {
    DecoderGraph names;
    BoundGraph bound;
    // Inputs that are the same in each run.
    IndexTensor branch;
    IndexTensor logits_kept;
    // Whether there are logits of the last token only.
    bool last_logits = false;
    // The number of the texts that are bound.
    uint64_t texts = 0;
  };
  // The keys and values that a step reads.
  struct Past {
    int64_t tokens = 0;
    std::vector<OrtValuePtr> made;
    std::span<const OrtValuePtr> values;
    // One of the two is their owner.
    std::shared_ptr<const CacheBlock> block;
    TensorBlock gathered;
  };
  struct StepShape {
    int64_t rows = 0;
    int64_t tokens = 0;  // the new ones of each row
    bool cached = false;
  };

  DecoderSession(const OrtLibrary& library, const DecoderEdit& wanted)
      : library_(library), api_(*library.api), gate_(*library.gate), wanted_(wanted) {}

  // The parts of Load, in decoder_load.cc.
  static Status LoadEdited(const OrtLibrary& library, const DecoderOptions& options, const DeviceSpec& device,
                           const DecoderEdit& wanted, std::unique_ptr<DecoderSession>& session, DecoderEdit& done);
  Status OpenOnCpu(const DecoderOptions& options);
  Status OpenOnGpu(const DecoderOptions& options, const DeviceSpec& device);
  Status OpenGraphs(const DecoderOptions& options, const SessionSetup& setup);
  Status OpenDecoder(const DecoderOptions& options, const DecoderGraphFile& file, const SessionSetup& setup,
                     std::unique_ptr<Session>& session, DecoderEdit& done);
  Status ReadGraphs(const DecoderOptions& options);
  Status BindConstants(Graph& graph, bool cached);
  Status Try();

  // The parts of Step.
  Status StepApart(std::span<DecoderRow> rows, RunHandle& handle, std::span<const float>& logits);
  Status StepTogether(std::span<DecoderRow> rows, const StepShape& shape, RunHandle& handle,
                      std::span<const float>& logits);
  bool StartsSomeTexts(std::span<const DecoderRow> rows) const noexcept;
  Status CheckRows(std::span<const DecoderRow> rows, StepShape& shape) const;
  Status JoinCaches(std::span<DecoderRow> rows, const StepShape& shape, Past& past);
  Status BindIndices(std::span<const DecoderRow> rows, const StepShape& shape, int64_t past, Graph& graph);
  Status BindIndex(IndexTensor& tensor, const TensorSpec* spec, Graph& graph);
  Status BindLogits(int64_t rows, int64_t kept, Graph& graph);
  Status ReadLogits(int64_t rows, int64_t kept, std::span<const float>& logits);

  // The parts that concern texts, in decoder_texts.cc.
  Status MakeTexts(std::span<const int64_t> lengths, const CacheFormat& format, std::shared_ptr<EncodedTexts>& texts);
  Status JoinTexts(std::span<DecoderRow> rows, bool cross, std::shared_ptr<const EncodedTexts>& texts);
  Status BindTexts(const EncodedTexts& texts, Graph& graph);
  Status BindCross(const EncodedTexts& texts, Graph& graph, std::shared_ptr<const EncodedTexts>& crossed);
  Status MakePlaceholder(int64_t rows, int64_t tokens, OrtValuePtr& value);

  // Makes room in a tensor, if the graph has the input.
  Status Resize(IndexTensor& tensor, const TensorSpec* spec, const Shape& shape);
  static void Count(std::atomic<uint64_t>& counter, uint64_t amount) noexcept {
    counter.fetch_add(amount, std::memory_order_relaxed);
  }
  void CountUpload(size_t bytes) noexcept {
    if (!pool_->memory().on_cpu()) Count(to_device_bytes_, bytes);
  }

  const OrtLibrary& library_;
  const OrtApi& api_;
  ExitGate& gate_;
  // The changes of the graphs that are tried, and those that were made.
  const DecoderEdit wanted_;
  DecoderEdit first_edit_;
  DecoderEdit later_edit_;
  DecoderFacts facts_;
  DecoderFormat format_;
  DeviceReport report_;

  std::shared_ptr<DecoderPool> pool_;
  OrtMemoryInfoPtr cpu_;
  std::unique_ptr<Session> encoder_session_;
  std::unique_ptr<Session> first_session_;
  std::unique_ptr<Session> later_session_;
  EncoderGraph encoder_names_;
  BoundGraph encoder_;
  // What runs if no row has a cache, and what runs otherwise. Both may be bindings of one session.
  Graph first_;
  Graph later_;

  IndexTensor encoder_ids_;
  IndexTensor ids_;
  IndexTensor mask_;
  IndexTensor positions_;
  IndexTensor cache_position_;
  IndexTensor padding_;
  IndexTensor logits_kept_;
  // Zeros in place of hidden states, of which a graph with a cache reads only the shape.
  TensorBlock placeholder_;
  DecoderPiece logits_;
  std::vector<float> converted_;
  std::vector<float> apart_;
  uint64_t texts_ = 0;
  uint64_t blocks_ = 0;

  // Sums for any thread, each right by itself: relaxed.
  std::atomic<uint64_t> steps_{0};
  std::atomic<uint64_t> reused_{0};
  std::atomic<uint64_t> gathered_bytes_{0};
  std::atomic<uint64_t> to_host_bytes_{0};
  std::atomic<uint64_t> to_device_bytes_{0};
};

}  // namespace millrace
