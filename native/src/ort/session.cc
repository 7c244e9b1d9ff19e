#include "ort/session.h"

#include <atomic>
#include <cstring>
#include <filesystem>

namespace millrace {
namespace {

// Outputs as ONNX Runtime allocated them.
class OrtOutputs final : public OutputBlock {
 public:
  std::vector<OrtValuePtr> values;
  std::vector<std::vector<std::string>> strings;
};

Status ReadShape(const OrtApi& api, const OrtTensorTypeAndShapeInfo* info, Shape& shape) {
  size_t rank = 0;
  MILLRACE_ORT(api, GetDimensionsCount(info, &rank), Code::kInternal);
  if (rank > kMaxRank) {
    return {Code::kUnimplemented, "A tensor has " + std::to_string(rank) + " dimensions; at most " +
                                      std::to_string(kMaxRank) + " are supported"};
  }
  shape.rank = static_cast<uint8_t>(rank);
  MILLRACE_ORT(api, GetDimensions(info, shape.dims.data(), rank), Code::kInternal);
  return {};
}

Status ReadStrings(const OrtApi& api, const OrtValue* value, size_t count,
                   std::vector<std::string>& strings) {
  size_t bytes = 0;
  MILLRACE_ORT(api, GetStringTensorDataLength(value, &bytes), Code::kInternal);
  std::string content(bytes, '\0');
  std::vector<size_t> offsets(count);
  MILLRACE_ORT(api, GetStringTensorContent(value, content.data(), bytes, offsets.data(), count),
               Code::kInternal);
  strings.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t end = i + 1 < count ? offsets[i + 1] : bytes;
    strings.emplace_back(content, offsets[i], end - offsets[i]);
  }
  return {};
}

Status ViewOutput(const OrtApi& api, OrtValue* value, std::vector<std::string>& strings,
                  TensorView& view) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  MILLRACE_ORT(api, GetTensorTypeAndShape(value, &raw), Code::kInternal);
  const OrtShapeInfoPtr info(raw, {&api});
  ONNXTensorElementDataType type{};
  MILLRACE_ORT(api, GetTensorElementType(raw, &type), Code::kInternal);
  view.type = static_cast<ElementType>(type);
  MILLRACE_RETURN_IF_ERROR(ReadShape(api, raw, view.shape));
  size_t count = 0;
  MILLRACE_ORT(api, GetTensorShapeElementCount(raw, &count), Code::kInternal);
  if (view.type == ElementType::kString) {
    MILLRACE_RETURN_IF_ERROR(ReadStrings(api, value, count, strings));
    view.strings = strings.data();
    return {};
  }
  void* data = nullptr;
  MILLRACE_ORT(api, GetTensorMutableData(value, &data), Code::kInternal);
  view.data = static_cast<const std::byte*>(data);
  view.bytes = count * ElementSize(view.type);
  return {};
}

Status CheckReadable(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return {Code::kNotFound, "The model file does not exist"};
  if (!std::filesystem::is_regular_file(status)) {
    return {Code::kInvalidArgument, "The model path is not a file"};
  }
  if (std::filesystem::file_size(path, error) == 0 || error) {
    return {Code::kInvalidArgument, "The model file is empty"};
  }
  return {};
}

Status MakeOptions(const OrtApi& api, const SessionOptions& options, OrtSessionOptionsPtr& result) {
  OrtSessionOptions* raw = nullptr;
  MILLRACE_ORT(api, CreateSessionOptions(&raw), Code::kInternal);
  result = OrtSessionOptionsPtr(raw, {&api});
  MILLRACE_ORT(api, SetIntraOpNumThreads(raw, options.intra_op_threads), Code::kInternal);
  MILLRACE_ORT(api, SetInterOpNumThreads(raw, 1), Code::kInternal);
  MILLRACE_ORT(api, SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL), Code::kInternal);
  // Spinning pool threads cost a core at 50 runs a second and take it from the HTTP threads.
  MILLRACE_ORT(api, AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0"),
               Code::kInternal);
  return {};
}

// A lane's run options. Reused from run to run: making them costs as much as a small model.
class OrtRunHandle final : public RunHandle {
 public:
  OrtRunHandle(const OrtApi& api, ExitGate& gate) : api_(api), gate_(gate) {
    OrtRunOptions* options = nullptr;
    created_ = FromOrt(api_, api_.CreateRunOptions(&options), Code::kInternal);
    options_ = OrtRunOptionsPtr(options, {&api_});
    gate_.Register(this);
  }
  ~OrtRunHandle() override { gate_.Unregister(this); }

  // Starts a run: forgets an earlier termination.
  Status Begin() {
    MILLRACE_RETURN_IF_ERROR(created_);
    if (!terminated_.exchange(false, std::memory_order_relaxed)) return {};
    return FromOrt(api_, api_.RunOptionsUnsetTerminate(options_.get()), Code::kInternal);
  }
  void Terminate() noexcept override {
    if (!created_.ok()) return;
    terminated_.store(true, std::memory_order_relaxed);
    FromOrt(api_, api_.RunOptionsSetTerminate(options_.get()), Code::kInternal).ok();
  }

  bool terminated() const noexcept { return terminated_.load(std::memory_order_relaxed); }
  const OrtRunOptions* options() const noexcept { return options_.get(); }

 private:
  const OrtApi& api_;
  ExitGate& gate_;
  Status created_;
  OrtRunOptionsPtr options_;
  std::atomic<bool> terminated_{false};
};

}  // namespace

Session::Session(const OrtLibrary& library) : api_(*library.api), gate_(*library.gate) {}

Session::~Session() {
  // Once the process exits the library's own objects may be gone: leave the session to the system.
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
  const OrtApi& api = *library.api;
  const GatePass pass(*library.gate);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  if (!options.path.empty()) MILLRACE_RETURN_IF_ERROR(CheckReadable(options.path));
  OrtSessionOptionsPtr session_options;
  MILLRACE_RETURN_IF_ERROR(MakeOptions(api, options, session_options));

  std::unique_ptr<Session> loading(new Session(library));
  OrtSession* raw = nullptr;
  if (options.path.empty()) {
    MILLRACE_ORT(api,
                 CreateSessionFromArray(library.env, options.bytes.data(), options.bytes.size(),
                                        session_options.get(), &raw),
                 Code::kInvalidArgument);
  } else {
    MILLRACE_ORT(api,
                 CreateSession(library.env, options.path.c_str(), session_options.get(), &raw),
                 Code::kInvalidArgument);
  }
  loading->session_ = OrtSessionPtr(raw, {&api});
  OrtMemoryInfo* cpu = nullptr;
  MILLRACE_ORT(api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu),
               Code::kInternal);
  loading->cpu_ = OrtMemoryInfoPtr(cpu, {&api});
  MILLRACE_RETURN_IF_ERROR(loading->ReadSignature());
  session = std::move(loading);
  return {};
}

Status Session::ReadSignature() {
  size_t inputs = 0;
  size_t outputs = 0;
  MILLRACE_ORT(api_, SessionGetInputCount(session_.get(), &inputs), Code::kInternal);
  MILLRACE_ORT(api_, SessionGetOutputCount(session_.get(), &outputs), Code::kInternal);
  MILLRACE_RETURN_IF_ERROR(ReadSpecs(inputs, true, signature_.inputs));
  MILLRACE_RETURN_IF_ERROR(ReadSpecs(outputs, false, signature_.outputs));
  for (const TensorSpec& spec : signature_.inputs) input_names_.push_back(spec.name.c_str());
  for (const TensorSpec& spec : signature_.outputs) output_names_.push_back(spec.name.c_str());
  return {};
}

Status Session::ReadSpecs(size_t count, bool inputs, std::vector<TensorSpec>& specs) {
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api_, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  for (size_t i = 0; i < count; ++i) {
    TensorSpec spec;
    char* name = nullptr;
    OrtTypeInfo* raw_type = nullptr;
    if (inputs) {
      MILLRACE_ORT(api_, SessionGetInputName(session_.get(), i, allocator, &name), Code::kInternal);
      spec.name = name;
      MILLRACE_ORT(api_, AllocatorFree(allocator, name), Code::kInternal);
      MILLRACE_ORT(api_, SessionGetInputTypeInfo(session_.get(), i, &raw_type), Code::kInternal);
    } else {
      MILLRACE_ORT(api_, SessionGetOutputName(session_.get(), i, allocator, &name),
                   Code::kInternal);
      spec.name = name;
      MILLRACE_ORT(api_, AllocatorFree(allocator, name), Code::kInternal);
      MILLRACE_ORT(api_, SessionGetOutputTypeInfo(session_.get(), i, &raw_type), Code::kInternal);
    }
    const OrtTypeInfoPtr type_info(raw_type, {&api_});
    const std::string what = std::string(inputs ? "Input '" : "Output '") + spec.name + "'";

    const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // owned by type_info
    MILLRACE_ORT(api_, CastTypeInfoToTensorInfo(raw_type, &tensor), Code::kInternal);
    if (tensor == nullptr) {
      return {Code::kUnimplemented,
              what + " is not a tensor (a sequence, map or optional): export the model with tensors "
                     "only; skl2onnx does so with options={'zipmap': False}"};
    }
    ONNXTensorElementDataType type{};
    MILLRACE_ORT(api_, GetTensorElementType(tensor, &type), Code::kInternal);
    spec.type = static_cast<ElementType>(type);
    if (*ElementName(spec.type) == '\0') {
      return {Code::kUnimplemented, what + " has ONNX element type " + std::to_string(type) +
                                        ", which JavaScript has no array for: add a Cast to the model"};
    }
    Shape shape;
    MILLRACE_RETURN_IF_ERROR(ReadShape(api_, tensor, shape));
    spec.dims.assign(shape.view().begin(), shape.view().end());
    std::vector<const char*> symbols(shape.rank);
    MILLRACE_ORT(api_, GetSymbolicDimensions(tensor, symbols.data(), symbols.size()),
                 Code::kInternal);
    spec.symbols.assign(symbols.begin(), symbols.end());
    specs.push_back(std::move(spec));
  }
  return {};
}

Status Session::MakeInput(const TensorView& view, OrtValuePtr& value) const {
  OrtValue* raw = nullptr;
  const auto type = static_cast<ONNXTensorElementDataType>(view.type);
  if (view.type != ElementType::kString) {
    // ONNX Runtime refuses null data even for a tensor without elements.
    static std::byte nothing[1];
    void* const data = view.bytes != 0 ? const_cast<std::byte*>(view.data) : nothing;
    MILLRACE_ORT(api_,
                 CreateTensorWithDataAsOrtValue(cpu_.get(), data, view.bytes, view.shape.dims.data(),
                                                view.shape.rank, type, &raw),
                 Code::kInternal);
    value = OrtValuePtr(raw, {&api_});
    return {};
  }
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api_, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  MILLRACE_ORT(api_,
               CreateTensorAsOrtValue(allocator, view.shape.dims.data(), view.shape.rank, type, &raw),
               Code::kInternal);
  value = OrtValuePtr(raw, {&api_});
  const auto count = static_cast<size_t>(view.shape.Elements().value_or(0));
  // By length, since an element may contain NUL bytes.
  for (size_t i = 0; i < count; ++i) {
    char* target = nullptr;
    MILLRACE_ORT(api_,
                 GetResizedStringTensorElementBuffer(raw, i, view.strings[i].size(), &target),
                 Code::kInternal);
    std::memcpy(target, view.strings[i].data(), view.strings[i].size());
  }
  return {};
}

std::unique_ptr<RunHandle> Session::NewHandle() {
  return std::make_unique<OrtRunHandle>(api_, gate_);
}

Status Session::Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) {
  const GatePass pass(gate_);
  if (!pass) return {Code::kUnavailable, "The process is exiting"};
  std::vector<OrtValuePtr> owned(inputs.size());
  std::vector<const OrtValue*> values(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(MakeInput(inputs[i], owned[i]));
    values[i] = owned[i].get();
  }
  auto& run = static_cast<OrtRunHandle&>(handle);
  MILLRACE_RETURN_IF_ERROR(run.Begin());
  std::vector<OrtValue*> results(output_names_.size(), nullptr);
  const Status status =
      FromOrt(api_,
              api_.Run(session_.get(), run.options(), input_names_.data(), values.data(),
                       values.size(), output_names_.data(), output_names_.size(), results.data()),
              Code::kInternal);
  if (!status.ok()) {
    if (!run.terminated()) return status;
    return {Code::kDeadlineExceeded, "The run was ended: it took longer than a run may"};
  }

  auto block = std::make_shared<OrtOutputs>();
  for (OrtValue* result : results) {
    block->values.emplace_back(result, OrtValuePtr::deleter_type{&api_});
  }
  block->tensors.resize(results.size());
  block->strings.resize(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(ViewOutput(api_, results[i], block->strings[i], block->tensors[i]));
  }
  outputs = std::move(block);
  return {};
}

}  // namespace millrace
