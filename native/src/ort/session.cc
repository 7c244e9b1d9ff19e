#include "ort/session.h"

#include "ort/messages.h"
#include "ort/values.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace millrace {
namespace {

// Whether products of 8-bit integers are added in 16 bits, where they overflow: on x86 without VNNI.
// ONNX Runtime has an option against it, which doubles the time of runs where VNNI needs none.
bool IntegerProductsOverflow() {
#if defined(__x86_64__)
  constexpr unsigned kAvxVnni = 1u << 4;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool has_avx_vnni = __builtin_cpu_supports("avx2") &&
                            __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 &&
                            (eax & kAvxVnni) != 0;
  return !has_avx_vnni && !__builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

Status MakeOptions(const OrtLibrary& library, const SessionOptions& options,
                   const SessionSetup& setup, const std::string& profile,
                   OrtSessionOptionsPtr& result) {
  const OrtApi& api = *library.api;
  OrtSessionOptions* raw = nullptr;
  MILLRACE_ORT(api, CreateSessionOptions(&raw), Code::kInternal);
  result = OrtSessionOptionsPtr(raw, {&api});
  MILLRACE_ORT(api, SetIntraOpNumThreads(raw, options.intra_op_threads), Code::kInternal);
  MILLRACE_ORT(api, SetInterOpNumThreads(raw, 1), Code::kInternal);
  MILLRACE_ORT(api,
               SetSessionGraphOptimizationLevel(
                   raw, setup.unoptimised ? ORT_DISABLE_ALL : ORT_ENABLE_ALL),
               Code::kInternal);
  // Spinning pool threads cost a core at 50 runs a second and take it from the HTTP threads.
  MILLRACE_ORT(api, AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0"),
               Code::kInternal);
  if (IntegerProductsOverflow()) {
    MILLRACE_ORT(api, AddSessionConfigEntry(raw, "session.x64quantprecision", "1"),
                 Code::kInternal);
  }
  for (const auto& [name, size] : options.dimensions) {
    MILLRACE_ORT(api, AddFreeDimensionOverrideByName(raw, name.c_str(), size), Code::kInternal);
  }
  if (!options.external_folder.empty()) {
    MILLRACE_ORT(api,
                 AddSessionConfigEntry(raw, "session.model_external_initializers_file_folder_path",
                                       options.external_folder.c_str()),
                 Code::kInternal);
  }
  if (setup.changing_shapes) MILLRACE_ORT(api, DisableMemPattern(raw), Code::kInternal);
  if (setup.forbid_cpu_nodes) {
    MILLRACE_ORT(api, AddSessionConfigEntry(raw, "session.disable_cpu_ep_fallback", "1"),
                 Code::kInternal);
  }
  if (!profile.empty()) {
    MILLRACE_ORT(api, EnableProfiling(raw, profile.c_str()), Code::kInternal);
  }
  if (setup.request == nullptr) return {};
  return setup.provider->Append(*setup.request, raw);
}

// Returns the code and the sentence for a session that could not be made.
Status ExplainLoad(Status status) {
  if (status.ok()) return status;
  const std::string message = PlainMessage(status.message());
  if (SaysOutOfMemory(message)) {
    return {Code::kResourceExhausted,
            "The model does not fit the device's memory or the limit set for it: " + message};
  }
  if (message.find("fallback to CPU EP has been explicitly disabled") != std::string::npos) {
    return {Code::kFailedPrecondition,
            "Some nodes of the model would run on the CPU, which `forbidCpuNodes` refuses: load it "
            "without that option to see which"};
  }
  if (message.find("rotobuf parsing failed") != std::string::npos) {
    return {status.code(), "Protobuf parsing failed: the file is damaged or is no ONNX model"};
  }
  return {status.code(), message};
}

}  // namespace

Session::Session(const OrtLibrary& library) : api_(*library.api), gate_(*library.gate) {
  report_.device = "cpu";
}

Session::~Session() {
  // While the process exits, the library's own objects may already be destroyed, so the session is left to the
  // operating system.
  if (const GatePass pass(gate_); !pass) {
    session_.release();
    cpu_.release();
  } else {
    session_.reset();
    cpu_.reset();
  }
}

Status Session::Load(const OrtLibrary& library, const SessionOptions& options,
                     std::unique_ptr<Session>& session) {
  return Open(library, options, {}, session);
}

Status Session::Open(const OrtLibrary& library, const SessionOptions& options,
                     const SessionSetup& setup, std::unique_ptr<Session>& session) {
  const OrtApi& api = *library.api;
  const GatePass pass(*library.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  std::unique_ptr<Session> loading(new Session(library));
  if (setup.profile) loading->profile_.Make();
  OrtSessionOptionsPtr session_options;
  MILLRACE_RETURN_IF_ERROR(
      MakeOptions(library, options, setup, loading->profile_.prefix(), session_options));
  loading->graphs_ = setup.request != nullptr && setup.request->graphs;
  OrtSession* raw = nullptr;
  OrtStatus* const created =
      options.path.empty()
          ? api.CreateSessionFromArray(library.env, options.bytes.data(), options.bytes.size(),
                                       session_options.get(), &raw)
          : api.CreateSession(library.env, options.path.c_str(), session_options.get(), &raw);
  MILLRACE_RETURN_IF_ERROR(ExplainLoad(FromOrt(api, created, Code::kInvalidArgument)));
  loading->session_ = OrtSessionPtr(raw, {&api});
  OrtMemoryInfo* cpu = nullptr;
  MILLRACE_ORT(api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu),
               Code::kInternal);
  loading->cpu_ = OrtMemoryInfoPtr(cpu, {&api});
  Signature& signature = loading->signature_;
  MILLRACE_RETURN_IF_ERROR(ReadSignature(api, raw, signature));
  for (const TensorSpec& spec : signature.inputs) loading->input_names_.push_back(spec.name.c_str());
  for (const TensorSpec& spec : signature.outputs) {
    loading->output_names_.push_back(spec.name.c_str());
  }
  session = std::move(loading);
  return {};
}

std::unique_ptr<RunHandle> Session::NewHandle() {
  auto handle = std::make_unique<OrtRunHandle>(api_, gate_);
  // -1 means that no graph is recorded. A failure can be ignored here, because the first run reports it.
  if (graphs_) handle->Configure("gpu_graph_id", "-1").ok();
  return handle;
}

Status Session::Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) {
  const GatePass pass(gate_);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  std::vector<OrtValuePtr> owned(inputs.size());
  std::vector<const OrtValue*> values(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(MakeTensor(api_, cpu_.get(), inputs[i], owned[i]));
    values[i] = owned[i].get();
  }
  auto& run = static_cast<OrtRunHandle&>(handle);
  MILLRACE_RETURN_IF_ERROR(run.Begin());
  std::vector<OrtValue*> raw(output_names_.size(), nullptr);
  const Status status =
      FromRun(api_,
              api_.Run(session_.get(), run.options(), input_names_.data(), values.data(),
                       values.size(), output_names_.data(), output_names_.size(), raw.data()));
  if (!status.ok()) return run.Explain(status);
  std::vector<OrtValuePtr> results;
  for (OrtValue* value : raw) results.emplace_back(value, OrtValuePtr::deleter_type{&api_});
  std::shared_ptr<OutputBlock> block;
  MILLRACE_RETURN_IF_ERROR(MakeOutputs(api_, std::move(results), block));
  outputs = std::move(block);
  return {};
}

Status Session::ReadPlacement(std::vector<NodePlacement>& nodes) {
  if (profile_.prefix().empty()) {
    return {Code::kFailedPrecondition,
            "no folder can be made for the profile: set TMPDIR to a folder that can be written to"};
  }
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api_, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  char* path = nullptr;
  MILLRACE_ORT(api_, SessionEndProfiling(session_.get(), allocator, &path), Code::kInternal);
  const std::string file = path;
  MILLRACE_ORT(api_, AllocatorFree(allocator, path), Code::kInternal);
  const Status status = ReadProfile(file, nodes);
  profile_.Remove();
  return status;
}

}  // namespace millrace
