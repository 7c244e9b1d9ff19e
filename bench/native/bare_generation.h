// The bare loop of greedy search: ONNX Runtime called again and again, with the outputs of a run as inputs of the next.
#pragma once

#include <string>
#include <vector>

#include "ort/decoder_graph.h"
#include "ort/decoder_inputs.h"
#include "ort/decoder_load.h"

namespace millrace::bench {

// What both the bare loop and the decoder run: rows of `prompt` tokens that are continued by `tokens` tokens each.
struct Generation {
  int64_t rows = 1;
  int64_t prompt = 16;
  int64_t tokens = 64;
};

// The prompt of each row. Rows differ.
std::vector<std::vector<int32_t>> PromptsOf(const Generation& generation, int64_t vocabulary);

// Nothing that serves a generation on the same graphs with as many threads can be much faster. All rows start and end
// together, ONNX Runtime allocates what a run makes, and nobody asks for anything but the best token.
class BareGeneration {
 public:
  // `spin`: ONNX Runtime's threads wait for work in a loop, as they do by default and in no session of millrace.
  Status Open(const OrtLibrary& library, const DecoderOptions& options, bool spin);
  Status Run(const Generation& generation, std::vector<std::vector<int32_t>>& tokens);

 private:
  struct Graph {
    OrtSessionPtr session;
    Signature signature;
  };
  using Values = std::vector<OrtValuePtr>;

  Status OpenGraph(const OrtLibrary& library, const OrtSessionOptions* options, const std::string& path, Graph& graph);
  Status Encode(const Generation& generation, const std::vector<std::vector<int32_t>>& prompts);
  Status BindTexts(OrtIoBinding* binding, const DecoderGraph& names, bool cached);
  Status BindIndices(OrtIoBinding* binding, const DecoderGraph& names, int64_t rows, int64_t count, int64_t past);
  Status Bind(OrtIoBinding* binding, const TensorSpec* spec, const OrtValue* value);
  Status MakeEmpty(const CacheFormat& format, int64_t rows, OrtValuePtr& value);
  Status First(const Generation& generation);
  Status Next(const Generation& generation, int64_t past);
  Status RunBound(const Graph& graph, OrtIoBinding* binding, const std::vector<const TensorSpec*>& outputs,
                  std::vector<OrtValuePtr>& values);
  Status Choose(const OrtValue* logits, const Generation& generation, int64_t count);

  const OrtApi* api_ = nullptr;
  OrtMemoryInfoPtr cpu_;
  Graph encoder_;
  Graph first_;
  Graph later_;
  const Graph* later_graph_ = nullptr;
  EncoderGraph encoder_names_;
  DecoderGraph first_names_;
  DecoderGraph later_names_;
  DecoderFormat format_;
  OrtIoBindingPtr first_binding_;
  OrtIoBindingPtr later_binding_;

  IndexTensor ids_;
  IndexTensor encoder_ids_;
  IndexTensor mask_;
  IndexTensor positions_;
  IndexTensor branch_;
  IndexTensor encoder_mask_;
  Values hidden_;
  Values self_;
  Values cross_;
  std::vector<int32_t> best_;
};

}  // namespace millrace::bench
