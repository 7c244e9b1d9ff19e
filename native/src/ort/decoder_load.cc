#include "ort/decoder_load.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "ort/decoder_session.h"
#include "ort/decoder_trial.h"
#include "ort/values.h"

namespace millrace {
namespace {

SessionOptions OptionsFor(const DecoderOptions& options, const DecoderGraphFile& file) {
  SessionOptions own;
  own.path = file.path;
  own.bytes = file.bytes;
  own.intra_op_threads = options.intra_op_threads;
  return own;
}

// Reads a file into memory, or nothing if it cannot be read.
std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  std::string bytes(static_cast<size_t>(file.tellg()), '\0');
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file ? bytes : std::string();
}

// Returns whether a load may have failed because of the graph, and not for want of a device or of memory.
bool IsOfGraph(const Status& status) {
  return status.code() == Code::kInvalidArgument || status.code() == Code::kInternal ||
         status.code() == Code::kUnimplemented;
}

Status CheckDevice(const DeviceSpec& device) {
  if (device.kind == DeviceKind::kTensorRt) {
    return {Code::kInvalidArgument, "A generative model cannot be loaded on 'tensorrt', which builds an engine for "
                                    "each shape, and each step has another one: use cuda"};
  }
  if (device.index == DeviceSpec::kEvery) {
    return {Code::kInvalidArgument, "A generative model cannot be loaded on 'cuda:all', since its caches lie on one "
                                    "GPU: name one, such as cuda:0"};
  }
  return {};
}

}  // namespace

Status LoadDecoder(const OrtLibrary& library, const DecoderOptions& options,
                   std::unique_ptr<LoadedDecoder>& decoder) {
  DeviceSpec device;
  MILLRACE_RETURN_IF_ERROR(ParseDevice(options.device.device, device));
  MILLRACE_RETURN_IF_ERROR(CheckDevice(device));
  const bool automatic = device.kind == DeviceKind::kAuto;
  if (automatic) device = {DeviceKind::kCuda, 0};
  std::unique_ptr<DecoderSession> session;
  Status status = DecoderSession::Load(library, options, device, session);
  // A model or an option that is invalid is also invalid on the CPU.
  if (automatic && !status.ok() && status.code() != Code::kInvalidArgument) {
    DecoderOptions on_cpu = options;
    on_cpu.device = {};
    MILLRACE_RETURN_IF_ERROR(DecoderSession::Load(library, on_cpu, {}, session));
    session->FellBack(status.message());
    status = {};
  }
  if (status.ok()) decoder = std::move(session);
  return status;
}

Status DecoderSession::Load(const OrtLibrary& library, const DecoderOptions& options, const DeviceSpec& device,
                            std::unique_ptr<DecoderSession>& session) {
  const GatePass pass(*library.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  // Changes of the graphs are kept only if the trial shows that they do what they should.
  for (const DecoderEdit& wanted : {DecoderEdit{true, true, true}, DecoderEdit{false, false, true}, DecoderEdit{}}) {
    if (wanted.any() && !options.edit) continue;
    DecoderEdit done;
    std::unique_ptr<DecoderSession> loading;
    const Status status = LoadEdited(library, options, device, wanted, loading, done);
    const bool masked = done.mask || done.positions;
    const bool final = status.ok() ? !masked || loading->facts_.mixed_lengths : !done.any() || !IsOfGraph(status);
    if (!final) continue;
    session = std::move(loading);
    return status;
  }
  return {Code::kInternal, "A decoder without changes is neither loaded nor refused"};
}

Status DecoderSession::LoadEdited(const OrtLibrary& library, const DecoderOptions& options, const DeviceSpec& device,
                                  const DecoderEdit& wanted, std::unique_ptr<DecoderSession>& session,
                                  DecoderEdit& done) {
  std::unique_ptr<DecoderSession> loading(new DecoderSession(library, wanted));
  loading->report_.device = DeviceName(device);
  Status status = device.kind == DeviceKind::kCpu ? loading->OpenOnCpu(options) : loading->OpenOnGpu(options, device);
  if (status.ok()) status = loading->ReadGraphs(options);
  if (status.ok()) status = loading->Try();
  const DecoderEdit& first = loading->first_edit_;
  const DecoderEdit& later = loading->later_edit_;
  done = {first.mask || later.mask, first.positions || later.positions, first.last_logits || later.last_logits};
  if (status.ok()) session = std::move(loading);
  return status;
}

Status DecoderSession::OpenOnCpu(const DecoderOptions& options) {
  KeyValues none;
  MILLRACE_RETURN_IF_ERROR(TranslateOptions("cpu", CpuProvider().options(), options.device.options, none));
  const ProviderRequest request{library_, {}, none, options.device.provider_options};
  SessionSetup setup;
  setup.provider = &CpuProvider();
  setup.request = &request;
  std::unique_ptr<DecoderMemory> memory;
  MILLRACE_RETURN_IF_ERROR(MakeCpuMemory(api_, memory));
  pool_ = std::make_shared<DecoderPool>(std::move(memory), gate_);
  return OpenGraphs(options, setup);
}

Status DecoderSession::OpenOnGpu(const DecoderOptions& options, const DeviceSpec& device) {
  const DeviceOptions& given = options.device;
  const Provider& provider = given.provider != nullptr ? *given.provider : ProviderFor(device.kind);
  KeyValues translated;
  MILLRACE_RETURN_IF_ERROR(TranslateOptions(given.device, provider.options(), given.options, translated));
  MILLRACE_RETURN_IF_ERROR(provider.CheckFiles(library_));
  const CudaRuntime* cuda = given.cuda;
  if (cuda == nullptr) MILLRACE_RETURN_IF_ERROR(LoadCudaRuntime(cuda));
  MILLRACE_RETURN_IF_ERROR(CheckGpu(*cuda, device.index));
  std::unique_ptr<DeviceContext> context(new DeviceContext{api_, gate_, *cuda, device.index, {}, {}, {}, {}, {}});
  MILLRACE_RETURN_IF_ERROR(OpenDevice(*context, provider.memory(), true));
  ProviderRequest request{library_, device, translated, given.provider_options};
  // Runs and copies are ordered by one stream.
  request.stream = context->compute.get();
  std::unique_ptr<DecoderMemory> memory;
  MILLRACE_RETURN_IF_ERROR(MakeCudaMemory(std::move(context), memory));
  pool_ = std::make_shared<DecoderPool>(std::move(memory), gate_);
  SessionSetup setup;
  setup.provider = &provider;
  setup.request = &request;
  setup.forbid_cpu_nodes = ReadBehaviour(provider, translated).forbid_cpu_nodes;
  return OpenGraphs(options, setup);
}

Status DecoderSession::OpenGraphs(const DecoderOptions& options, const SessionSetup& given) {
  SessionSetup setup = given;
  setup.changing_shapes = true;
  MILLRACE_RETURN_IF_ERROR(OpenDecoder(options, options.decoder, setup, first_session_, first_edit_));
  if (options.decoder_with_past.empty()) {
    later_edit_ = first_edit_;
  } else {
    MILLRACE_RETURN_IF_ERROR(OpenDecoder(options, options.decoder_with_past, setup, later_session_, later_edit_));
  }
  first_.last_logits = first_edit_.last_logits;
  later_.last_logits = later_edit_.last_logits;
  if (options.encoder.empty()) return {};
  return Session::Open(library_, OptionsFor(options, options.encoder), setup, encoder_session_);
}

Status DecoderSession::OpenDecoder(const DecoderOptions& options, const DecoderGraphFile& file,
                                   const SessionSetup& setup, std::unique_ptr<Session>& session, DecoderEdit& done) {
  SessionOptions own = OptionsFor(options, file);
  // Freed when the session has been made.
  std::string edited;
  if (wanted_.any()) {
    const std::string read = file.path.empty() ? std::string() : ReadBytes(file.path);
    edited = EditDecoder(file.path.empty() ? file.bytes : read, wanted_, done);
  }
  if (done.any()) {
    own.bytes = edited;
    own.path.clear();
    if (!file.path.empty()) own.external_folder = std::filesystem::path(file.path).parent_path().string();
  }
  return Session::Open(library_, own, setup, session);
}

Status DecoderSession::ReadGraphs(const DecoderOptions& options) {
  const Session& later = later_session_ != nullptr ? *later_session_ : *first_session_;
  MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(first_session_->signature(), "decoder", first_.names));
  MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(later.signature(), "decoder", later_.names));
  const bool encoder = encoder_session_ != nullptr;
  if (encoder) MILLRACE_RETURN_IF_ERROR(ReadEncoderGraph(encoder_session_->signature(), encoder_names_));
  MILLRACE_RETURN_IF_ERROR(MatchGraphs(first_.names, later_.names, encoder ? &encoder_names_ : nullptr, format_));

  facts_.encoder_decoder = encoder;
  facts_.vocabulary = format_.vocabulary;
  facts_.max_positions = options.max_positions;
  facts_.max_encoder_positions = options.max_encoder_positions;
  facts_.cache_bytes = format_.self.BytesPerToken();
  facts_.encoder_bytes = format_.cross.BytesPerToken() + format_.hidden.BytesPerToken();

  OrtMemoryInfo* cpu = nullptr;
  MILLRACE_ORT(api_, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu), Code::kInternal);
  cpu_ = OrtMemoryInfoPtr(cpu, {&api_});
  if (encoder) MILLRACE_RETURN_IF_ERROR(encoder_.Open(api_, *encoder_session_));
  MILLRACE_RETURN_IF_ERROR(first_.bound.Open(api_, *first_session_));
  MILLRACE_RETURN_IF_ERROR(later_.bound.Open(api_, later));
  MILLRACE_RETURN_IF_ERROR(BindConstants(first_, false));
  return BindConstants(later_, true);
}

Status DecoderSession::BindConstants(Graph& graph, bool cached) {
  const TensorSpec* const kept = graph.names.logits_kept;
  MILLRACE_RETURN_IF_ERROR(Resize(graph.branch, graph.names.branch, {1, {1}}));
  const auto rank = static_cast<uint8_t>(kept == nullptr ? 0 : kept->dims.size());
  MILLRACE_RETURN_IF_ERROR(Resize(graph.logits_kept, kept, {rank, {1}}));
  if (graph.names.branch != nullptr) graph.branch.Set(0, cached ? 1 : 0);
  if (kept != nullptr) graph.logits_kept.Set(0, 1);
  MILLRACE_RETURN_IF_ERROR(graph.bound.Input(graph.names.branch, graph.branch.value()));
  return graph.bound.Input(kept, graph.logits_kept.value());
}

Status DecoderSession::Try() {
  // No row has padding in a run without a cache.
  const bool masked = later_.names.mask != nullptr;
  // The trial shows whether these are true.
  facts_.mixed_lengths = masked;
  facts_.chunks = true;
  // Sums in another order change float32 by a millionth of the range, and the 16-bit types by up to a hundredth.
  const float tolerance = format_.self.type == ElementType::kFloat32 ? 1e-4F : 2e-2F;
  DecoderTrial trial;
  MILLRACE_RETURN_IF_ERROR(TryDecoder(*this, tolerance, trial));
  facts_.chunks = trial.chunks;
  facts_.mixed_lengths = trial.mixed_lengths;
  std::vector<std::string>& notes = report_.notes;
  if (!trial.independent_rows) {
    notes.push_back("Sequences that share a run change each other's logits, as in a model that is quantized "
                    "dynamically: set maxRows to 1 if tokens must not depend on other requests");
  }
  if (!trial.chunks) notes.push_back("A prompt is computed in one run: its logits differ if it is divided");
  if (!trial.mixed_lengths) {
    notes.push_back(std::string("Only sequences of equal lengths share a run: ") +
                    (masked ? "logits differ with padding" : "the decoder has no input 'attention_mask'"));
  }
  for (std::atomic<uint64_t>* counter :
       {&steps_, &reused_, &gathered_bytes_, &to_host_bytes_, &to_device_bytes_}) {
    counter->store(0, std::memory_order_relaxed);
  }
  return {};
}

}  // namespace millrace
