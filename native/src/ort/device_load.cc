// Loads a model onto a GPU, and does everything that may take long before the first request.
#include <algorithm>
#include <chrono>

#include "batching/outputs_equal.h"
#include "ort/device_session.h"
#include "ort/engine_cache.h"
#include "ort/graph.h"
#include "ort/random_inputs.h"

namespace millrace {
namespace {

// Returns why tensors of this model cannot have fixed buffers, or "" if they can.
std::string Unbindable(const Signature& signature) {
  for (const auto* specs : {&signature.inputs, &signature.outputs}) {
    for (const TensorSpec& spec : *specs) {
      if (spec.type == ElementType::kString) {
        return "'" + spec.name + "' holds strings, which live in the CPU's memory: the model runs "
               "without shapes";
      }
    }
  }
  return {};
}

// Returns the name of the first output whose shape differs between two runs, or "" if there is none.
std::string Varying(const Signature& signature, const std::vector<DeviceShapePlan::Output>& a,
                    const std::vector<DeviceShapePlan::Output>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(a[i].shape == b[i].shape)) return signature.outputs[i].name;
  }
  return {};
}

bool BlocksEqual(const OutputBlock& a, const OutputBlock& b) {
  return std::ranges::equal(a.tensors, b.tensors, [](const TensorView& x, const TensorView& y) {
    return x.type == y.type && x.shape == y.shape && OutputsEqual(x, y);
  });
}

}  // namespace

DeviceSession::DeviceSession(const OrtLibrary& library, const SessionOptions& options,
                             const DeviceSpec& device)
    : library_(library),
      options_(options),
      device_(device),
      context_{*library.api, *library.gate, *options.device.cuda, device.index, {}, {}, {}, {}, {}} {
  report_.device = DeviceName(device);
}

DeviceSession::~DeviceSession() {
  if (thread_ != nullptr) thread_->Call([this] { Close(); });
  thread_.reset();
}

// Frees ONNX Runtime's objects before the streams that they use, all on the device's thread.
void DeviceSession::Close() {
  const GatePass pass(context_.gate);
  if (!pass) {
    // At exit the driver may already be unloaded, so these objects are left to the operating system.
    for (auto& slot : slots_) static_cast<void>(slot.release());
    static_cast<void>(session_.release());
    static_cast<void>(context_.copy_in.release());
    static_cast<void>(context_.compute.release());
    static_cast<void>(context_.copy_out.release());
    static_cast<void>(context_.memory.release());
    return;
  }
  static_cast<void>(UseDevice(context_.cuda, context_.index));
  slots_.clear();
  session_.reset();
  context_.compute.reset();
  context_.copy_in.reset();
  context_.copy_out.reset();
}

Status DeviceSession::Load(const OrtLibrary& library, const SessionOptions& options,
                           const DeviceSpec& device, std::unique_ptr<DeviceSession>& session) {
  const Provider* const given = options.device.provider;
  const Provider& provider = given != nullptr ? *given : ProviderFor(device.kind);
  KeyValues translated;
  MILLRACE_RETURN_IF_ERROR(TranslateOptions(options.device.device, provider.options(),
                                            options.device.options, translated));
  MILLRACE_RETURN_IF_ERROR(provider.CheckFiles(library));
  SessionOptions complete = options;
  if (complete.device.cuda == nullptr) {
    MILLRACE_RETURN_IF_ERROR(LoadCudaRuntime(complete.device.cuda));
  }
  MILLRACE_RETURN_IF_ERROR(CheckGpu(*complete.device.cuda, device.index));

  std::unique_ptr<DeviceSession> loading(new DeviceSession(library, complete, device));
  loading->provider_ = &provider;
  loading->behaviour_ = ReadBehaviour(provider, translated);
  loading->translated_ = std::move(translated);
  loading->thread_ = std::make_unique<DeviceThread>();
  Status status;
  loading->thread_->Call([&] { status = loading->Open(); });
  if (status.ok()) session = std::move(loading);
  return status;
}

Status DeviceSession::Open() {
  const GatePass pass(context_.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  MILLRACE_RETURN_IF_ERROR(OpenDevice(context_, provider_->memory(), behaviour_.own_stream));
  ProviderRequest request{library_, device_, translated_, options_.device.provider_options};
  request.stream = context_.compute.get();
  if (provider_->builds_tensorrt_engines()) MILLRACE_RETURN_IF_ERROR(PrepareTensorRtEngines(request));
  MILLRACE_RETURN_IF_ERROR(OpenSession(request));
  slot_session_ = {session_->raw(), &session_->signature(), batched_};
  PlanShapes();
  if (plans_.empty()) {
    ReportPlacement();
    return {};
  }

  for (int i = 0; i < behaviour_.slots; ++i) {
    slots_.push_back(std::make_unique<DeviceSlot>(context_, slot_session_, plans_, slots_.size()));
    MILLRACE_RETURN_IF_ERROR(slots_.back()->AllocateInputs());
  }
  MILLRACE_RETURN_IF_ERROR(ProbeShapes());
  for (auto& slot : slots_) {
    MILLRACE_RETURN_IF_ERROR(slot->AllocateOutputs());
    free_slots_.push_back(slot.get());
  }
  MILLRACE_RETURN_IF_ERROR(WarmShapes());
  return CheckShapes();
}

// The choice is made once, so that a session that is opened again has the same shapes.
Status DeviceSession::Choose(const Signature& signature, Executor& trial) {
  if (options_.choose == nullptr) return {};
  ShapeChoice choice;
  MILLRACE_RETURN_IF_ERROR(options_.choose(signature, trial, choice));
  batched_ = choice.batched;
  shapes_ = std::move(choice.shapes);
  return SortDeviceShapes(signature, shapes_);
}

// A session builds the TensorRT engines when it is made, for declared shapes only. The signature, on which the shapes
// depend, therefore comes from a session on the CPU.
Status DeviceSession::PrepareTensorRtEngines(ProviderRequest& request) {
  std::unique_ptr<Session> look;
  SessionSetup setup;
  setup.unoptimised = true;
  MILLRACE_RETURN_IF_ERROR(Session::Open(library_, options_, setup, look));
  MILLRACE_RETURN_IF_ERROR(Choose(look->signature(), *look));
  if (shapes_.empty()) {
    return {Code::kInvalidArgument,
            "Device '" + DeviceName(device_) +
                "' builds a TensorRT engine for the shapes that will come: declare batching.axes for every "
                "dimension that changes"};
  }
  if (const std::string name = NameWithoutProfile(look->signature()); !name.empty()) {
    report_.notes.push_back("The name of input '" + name +
                            "' has a colon or a comma, with which TensorRT cannot be told its shapes: its "
                            "TensorRT engines are built while the device shapes are warmed, several times at the first load");
  } else {
    request.profile = MakeProfile(look->signature(), shapes_);
  }
  if (options_.cache_folder.empty() || options_.digest.empty()) {
    report_.notes.push_back("No engineCache: TensorRT engines are built again at every load");
    return {};
  }
  GpuInfo gpu;
  MILLRACE_RETURN_IF_ERROR(ReadGpuInfo(context_.cuda, device_.index, gpu));
  TensorRtEngineKey key{options_.digest, library_.version, TensorRtVersion(),
                gpu.name,        gpu.capability,   translated_};
  key.options.insert(key.options.end(), request.raw.begin(), request.raw.end());
  key.options.emplace_back("profile", request.profile.min + ' ' + request.profile.opt + ' ' +
                                          request.profile.max);
  return MakeCacheFolders(options_.cache_folder, key, request.tensorrt_engine_folder, request.timing_folder);
}

Status DeviceSession::OpenSession(ProviderRequest& request) {
  SessionSetup setup;
  setup.provider = provider_;
  setup.request = &request;
  setup.forbid_cpu_nodes = behaviour_.forbid_cpu_nodes;
  setup.profile = behaviour_.placement;
  request.graphs = behaviour_.graphs;
  Status status = Session::Open(library_, options_, setup, session_);
  if (!status.ok()) status = RetryOpen(request, setup, std::move(status));
  behaviour_.graphs = request.graphs;
  if (!status.ok() || provider_->builds_tensorrt_engines()) return status;
  return Choose(signature(), *session_);
}

// Opens the session again without the options that the provider refused.
Status DeviceSession::RetryOpen(ProviderRequest& request, const SessionSetup& setup, Status status) {
  std::string reason;
  if (request.graphs && RefusesGraphs(status.message(), reason)) {
    report_.notes.push_back(GraphsOff(reason));
    request.graphs = false;
    status = Session::Open(library_, options_, setup, session_);
  }
  if (!status.ok() && !request.profile.min.empty() && RefusesProfile(status.message())) {
    report_.notes.push_back(
        "TensorRT runs parts of the model only and has no shapes for what is between them: its "
        "TensorRT engines are built while the device shapes are warmed, several times at the first load");
    request.profile = {};
    status = Session::Open(library_, options_, setup, session_);
  }
  return status;
}

void DeviceSession::PlanShapes() {
  if (std::string reason = Unbindable(signature()); !reason.empty()) {
    report_.notes.push_back(std::move(reason));
    shapes_.clear();
  } else if (shapes_.empty()) {
    report_.notes.push_back(
        "No device shapes: nothing was warmed, and inputs come from the CPU's memory in every run");
  }
  for (const DeviceShape& shape : shapes_) {
    DeviceShapePlan& plan = plans_.emplace_back();
    plan.rows = shape.rows;
    plan.inputs = shape.inputs;
    for (size_t i = 0; i < shape.inputs.size(); ++i) {
      const auto elements = static_cast<size_t>(shape.inputs[i].Elements().value_or(0));
      plan.input_bytes.push_back(elements * ElementSize(signature().inputs[i].type));
    }
  }
}

// Runs the largest shape first, so that the provider's arena grows only once. The smallest shape is next, so that a
// TensorRT engine whose shapes were not declared covers all of them after its second build.
Status DeviceSession::ProbeShapes() {
  DeviceSlot& slot = *slots_.front();
  const size_t count = plans_.size();
  for (size_t turn = 0; turn < count; ++turn) {
    const size_t shape = turn == 0 ? count - 1 : turn - 1;
    DeviceShapePlan& plan = plans_[shape];
    const Status status = slot.Probe(shape, 0, plan.outputs);
    if (!status.ok()) {
      return {status.code(), "The model cannot run the device shape of " + std::to_string(plan.rows) +
                                 " rows on zeros, so leave that batch size out: " + status.message()};
    }
    if (turn == 0) ReportPlacement();
    // Ones may not be valid inputs. In that case only the run on zeros counts.
    std::vector<DeviceShapePlan::Output> again;
    const bool second = slot.Probe(shape, 1, again).ok();
    if (!healthy()) return DeviceContext::LostStatus();
    const std::string varying = second ? Varying(signature(), plan.outputs, again) : "";
    plan.static_outputs = varying.empty();
    plan.graph = behaviour_.graphs && plan.static_outputs;
    if (!plan.static_outputs) report_.notes.push_back(OutputsNotStatic(plan.rows, varying));
  }
  return {};
}

void DeviceSession::ReportPlacement() {
  if (!behaviour_.placement) return;
  if (const Status status = session_->ReadPlacement(report_.nodes); !status.ok()) {
    report_.notes.push_back("Where the nodes ran is not known: " + status.message());
    return;
  }
  const std::vector<std::string> names = CpuNodes(report_.nodes);
  if (names.empty()) return;
  constexpr size_t kNamed = 5;
  std::string list;
  for (size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
    list += (list.empty() ? "" : ", ") + names[i];
  }
  if (names.size() > kNamed) list += ", …";
  report_.notes.push_back(std::to_string(names.size()) + " of " +
                          std::to_string(report_.nodes.size()) + " nodes run on the CPU: " + list);
}

Status DeviceSession::WarmShapes() {
  for (size_t shape = plans_.size(); shape-- > 0;) {
    MILLRACE_RETURN_IF_ERROR(WarmShape(shape));
  }
  for (size_t shape = 0; shape < plans_.size(); ++shape) {
    const auto before = std::chrono::steady_clock::now();
    MILLRACE_RETURN_IF_ERROR(slots_.front()->Warm(shape));
    const auto cost = std::chrono::steady_clock::now() - before;
    report_.shapes.push_back(
        {plans_[shape].inputs, std::chrono::nanoseconds(cost).count(), plans_[shape].graph});
  }
  return {};
}

// Warms the shape in every slot, because each slot has its own addresses and so its own graph.
Status DeviceSession::WarmShape(size_t shape) {
  DeviceShapePlan& plan = plans_[shape];
  for (size_t i = 0; i < slots_.size(); ++i) {
    Status status = slots_[i]->Warm(shape);
    if (!status.ok() && plan.graph && healthy()) {
      plan.graph = false;
      report_.notes.push_back(ShapeGraphOff(plan.rows, status.message()));
      for (auto& slot : slots_) MILLRACE_RETURN_IF_ERROR(slot->ResetOptions(shape));
      status = slots_[i]->Warm(shape);
    }
    MILLRACE_RETURN_IF_ERROR(status);
  }
  return {};
}

// Runs random rows once in the smallest device shape and once from the CPU's memory, so that a mistake in the use of
// the device shows here and not in responses. A model whose outputs differ between two equal runs, because it draws
// random numbers for example, is not checked.
Status DeviceSession::CheckShapes() {
  const RandomInputs inputs(signature(), shapes_.front().inputs);
  const Part part = inputs.views();
  OrtRunHandle handle(context_.api, context_.gate);
  OutputRef expected;
  OutputRef again;
  if (!session_->Run(part, handle, expected).ok() || !session_->Run(part, handle, again).ok()) return {};
  if (!BlocksEqual(*expected, *again)) return {};
  bool equal = false;
  MILLRACE_RETURN_IF_ERROR(CompareBound(part, *expected, equal));
  if (equal) return {};
  slot_session_.binds_each_run = true;
  MILLRACE_RETURN_IF_ERROR(CompareBound(part, *expected, equal));
  if (equal) {
    report_.notes.push_back("The CPU reads some of the inputs, which are therefore bound in each run");
    return {};
  }
  return {Code::kInternal,
          "The model's outputs on '" + report_.device + "' differ between memory of the device and the "
          "CPU's: run it on another device"};
}

Status DeviceSession::CompareBound(const Part& inputs, const OutputBlock& expected, bool& equal) {
  DeviceSlot& slot = *slots_.front();
  OutputRef outputs;
  MILLRACE_RETURN_IF_ERROR(slot.Upload({&inputs, 1}, 0, plans_.front().rows, 0));
  slot.Launch();
  const Status status = slot.Await(outputs);
  if (!healthy()) return status;
  equal = status.ok() && BlocksEqual(*outputs, expected);
  return {};
}

}  // namespace millrace
