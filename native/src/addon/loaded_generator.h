// A generative model on its device, and its generator.
#pragma once

#include <memory>
#include <string>

#include "addon/load_surroundings.h"
#include "batching/clock.h"
#include "generation/generator.h"
#include "ort/decoder_load.h"

namespace millrace {

// The options of a load; see NativeGeneratorOptions in native/binding.ts.
struct GeneratorLoadRequest {
  struct File {
    // Empty if the model has no such file.
    std::string path;
    // As in LoadRequest.
    std::string digest;
  };

  // Loads with equal keys have equal files and options.
  std::string key;
  File decoder;
  File decoder_with_past;
  File encoder;
  // As in LoadRequest.
  std::string copy_folder;
  DeviceOptions device;
  // 0 means all cores of workers: there is one step at a time, which nothing else can make faster.
  int intra_op_threads = 0;
  // See DecoderOptions.
  int64_t max_positions = 0;
  int64_t max_encoder_positions = 0;
  GeneratorOptions generator;
};

// A decoder and its generator. All threads that loaded the same key share it; the last one to release it retires it.
// Thread-safe after Load.
class LoadedGenerator {
 public:
  static Status Load(const LoadSurroundings& surroundings, const GeneratorLoadRequest& request,
                     std::shared_ptr<LoadedGenerator>& model);

  const DecoderFacts& facts() const noexcept { return decoder_->facts(); }
  const DeviceReport& report() const noexcept { return decoder_->report(); }
  // Returns false once the device is lost.
  bool healthy() const noexcept { return decoder_->healthy(); }
  Generator& generator() noexcept { return *generator_; }
  // ONNX Runtime's intra-op threads in each step.
  int intra_op_threads() const noexcept { return intra_op_threads_; }

 private:
  LoadedGenerator() = default;

  SteadyClock clock_;
  int intra_op_threads_ = 1;
  std::unique_ptr<LoadedDecoder> decoder_;
  std::unique_ptr<Generator> generator_;  // last, so that its thread ends before the decoder is freed
};

}  // namespace millrace
