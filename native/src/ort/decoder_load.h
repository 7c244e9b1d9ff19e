// Loads the graphs of a generative model as a Decoder.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "generation/decoder.h"
#include "ort/loaded.h"
#include "ort/session.h"

namespace millrace {

// A graph, from a ModelSnapshot: exactly one of the two is set, or none if the model has no such graph.
struct DecoderGraphFile {
  std::string path = {};
  std::string_view bytes = {};

  bool empty() const noexcept { return path.empty() && bytes.empty(); }
};

// The graphs of a model as optimum and transformers.js export them, and where to run them.
struct DecoderOptions {
  // `decoder_model_merged.onnx`, `decoder_model.onnx`, or `model.onnx` of a decoder-only model.
  DecoderGraphFile decoder;
  // `decoder_with_past_model.onnx`, if `decoder` takes no keys and values.
  DecoderGraphFile decoder_with_past;
  // `encoder_model.onnx` of an encoder–decoder model.
  DecoderGraphFile encoder;
  // The number of threads inside one run, at least 1.
  int intra_op_threads = 1;
  // `cpu`, `cuda`, `cuda:N` or `auto`. Recorded CUDA graphs and several slots are not used, since each step has another
  // shape than the last.
  DeviceOptions device;
  // Whether the graphs may be changed, as decoder_edit.h describes, where that helps and a trial shows that it is
  // right.
  bool edit = true;
  // From the model's configuration, because graphs do not say it; 0 if it is not known. They become those of
  // DecoderFacts.
  int64_t max_positions = 0;
  int64_t max_encoder_positions = 0;
};

class LoadedDecoder : public Decoder {
 public:
  virtual const DeviceReport& report() const noexcept = 0;
  // Returns false once the device is lost. Every later call fails with kUnavailable.
  virtual bool healthy() const noexcept { return true; }
};

// Loads the graphs, finds out what their inputs mean by their names, and tries them: whether a prompt can be computed
// in parts, and whether rows of different lengths can share a run, is measured and not assumed.
//
// Returns kInvalidArgument with the name of the input or output that is missing if the graphs are not those of a
// decoder with a cache, and otherwise what LoadExecutor returns. `library` must outlive the decoder.
Status LoadDecoder(const OrtLibrary& library, const DecoderOptions& options,
                   std::unique_ptr<LoadedDecoder>& decoder);

}  // namespace millrace
