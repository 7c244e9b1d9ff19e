#include "addon/loaded_generator.h"

#include <array>

#include "ort/model_files.h"

namespace millrace {
namespace {

// Takes a file, if there is one.
Status Take(const GeneratorLoadRequest::File& file, const std::string& folder, ModelSnapshot& snapshot,
            DecoderGraphFile& graph) {
  if (file.path.empty()) return {};
  MILLRACE_RETURN_IF_ERROR(snapshot.Take(file.path, file.digest, folder));
  graph = {snapshot.path(), snapshot.bytes()};
  return {};
}

}  // namespace

Status LoadedGenerator::Load(const LoadSurroundings& surroundings, const GeneratorLoadRequest& request,
                             std::shared_ptr<LoadedGenerator>& model) {
  std::shared_ptr<LoadedGenerator> loading(new LoadedGenerator);
  DecoderOptions options;
  // The files are kept until all sessions are made.
  std::array<ModelSnapshot, 3> snapshots;
  const std::string& folder = request.copy_folder;
  MILLRACE_RETURN_IF_ERROR(Take(request.decoder, folder, snapshots[0], options.decoder));
  MILLRACE_RETURN_IF_ERROR(
      Take(request.decoder_with_past, folder, snapshots[1], options.decoder_with_past));
  MILLRACE_RETURN_IF_ERROR(Take(request.encoder, folder, snapshots[2], options.encoder));
  // Tokens are streamed while steps run, so that JavaScript keeps its core.
  options.intra_op_threads = request.intra_op_threads != 0
                                 ? request.intra_op_threads
                                 : static_cast<int>(surroundings.cores.spare);
  options.device = request.device;
  options.max_positions = request.max_positions;
  options.max_encoder_positions = request.max_encoder_positions;
  MILLRACE_RETURN_IF_ERROR(LoadDecoder(surroundings.library, options, loading->decoder_));
  loading->intra_op_threads_ = options.intra_op_threads;
  GeneratorOptions generator = request.generator;
  generator.share = &surroundings.share(loading->report().device);
  loading->generator_ =
      std::make_unique<Generator>(*loading->decoder_, loading->clock_, generator);
  model = std::move(loading);
  return {};
}

}  // namespace millrace
