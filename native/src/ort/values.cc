#include "ort/values.h"

#include <cstring>
#include <string>

namespace millrace {
namespace {

// Outputs in the memory that ONNX Runtime allocated.
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
  MILLRACE_RETURN_IF_ERROR(ReadTypeAndShape(api, value, view.type, view.shape));
  const auto count = static_cast<size_t>(view.shape.Elements().value_or(0));
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

Status ReadSpecs(const OrtApi& api, const OrtSession* session, size_t count, bool inputs,
                 std::vector<TensorSpec>& specs) {
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  for (size_t i = 0; i < count; ++i) {
    TensorSpec spec;
    char* name = nullptr;
    OrtTypeInfo* raw_type = nullptr;
    if (inputs) {
      MILLRACE_ORT(api, SessionGetInputName(session, i, allocator, &name), Code::kInternal);
      spec.name = name;
      MILLRACE_ORT(api, AllocatorFree(allocator, name), Code::kInternal);
      MILLRACE_ORT(api, SessionGetInputTypeInfo(session, i, &raw_type), Code::kInternal);
    } else {
      MILLRACE_ORT(api, SessionGetOutputName(session, i, allocator, &name),
                   Code::kInternal);
      spec.name = name;
      MILLRACE_ORT(api, AllocatorFree(allocator, name), Code::kInternal);
      MILLRACE_ORT(api, SessionGetOutputTypeInfo(session, i, &raw_type), Code::kInternal);
    }
    const OrtTypeInfoPtr type_info(raw_type, {&api});
    const std::string what = std::string(inputs ? "Input '" : "Output '") + spec.name + "'";

    const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // owned by type_info
    MILLRACE_ORT(api, CastTypeInfoToTensorInfo(raw_type, &tensor), Code::kInternal);
    if (tensor == nullptr) {
      return {Code::kUnimplemented,
              what + " is not a tensor (a sequence, map or optional): export the model with tensors "
                     "only; skl2onnx does so with options={'zipmap': False}"};
    }
    ONNXTensorElementDataType type{};
    MILLRACE_ORT(api, GetTensorElementType(tensor, &type), Code::kInternal);
    spec.type = static_cast<ElementType>(type);
    if (*ElementName(spec.type) == '\0') {
      return {Code::kUnimplemented, what + " has ONNX element type " + std::to_string(type) +
                                        ", which JavaScript has no array for: add a Cast to the model"};
    }
    Shape shape;
    MILLRACE_RETURN_IF_ERROR(ReadShape(api, tensor, shape));
    spec.dims.assign(shape.view().begin(), shape.view().end());
    std::vector<const char*> symbols(shape.rank);
    MILLRACE_ORT(api, GetSymbolicDimensions(tensor, symbols.data(), symbols.size()),
                 Code::kInternal);
    spec.symbols.assign(symbols.begin(), symbols.end());
    specs.push_back(std::move(spec));
  }
  return {};
}

}  // namespace

Status ReadTypeAndShape(const OrtApi& api, const OrtValue* value, ElementType& type, Shape& shape) {
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  MILLRACE_ORT(api, GetTensorTypeAndShape(value, &raw), Code::kInternal);
  const OrtShapeInfoPtr info(raw, {&api});
  ONNXTensorElementDataType element{};
  MILLRACE_ORT(api, GetTensorElementType(raw, &element), Code::kInternal);
  type = static_cast<ElementType>(element);
  return ReadShape(api, raw, shape);
}

Status MakeTensor(const OrtApi& api, const OrtMemoryInfo* info, const TensorView& view,
                  OrtValuePtr& value) {
  OrtValue* raw = nullptr;
  const auto type = static_cast<ONNXTensorElementDataType>(view.type);
  if (view.type != ElementType::kString) {
    // ONNX Runtime refuses null data even for a tensor without elements.
    static std::byte nothing[1];
    void* const data = view.bytes != 0 ? const_cast<std::byte*>(view.data) : nothing;
    MILLRACE_ORT(api,
                 CreateTensorWithDataAsOrtValue(info, data, view.bytes, view.shape.dims.data(),
                                                view.shape.rank, type, &raw),
                 Code::kInternal);
    value = OrtValuePtr(raw, {&api});
    return {};
  }
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  MILLRACE_ORT(api,
               CreateTensorAsOrtValue(allocator, view.shape.dims.data(), view.shape.rank, type, &raw),
               Code::kInternal);
  value = OrtValuePtr(raw, {&api});
  const auto count = static_cast<size_t>(view.shape.Elements().value_or(0));
  // The elements are copied by length, since they may contain NUL bytes.
  for (size_t i = 0; i < count; ++i) {
    char* target = nullptr;
    MILLRACE_ORT(api,
                 GetResizedStringTensorElementBuffer(raw, i, view.strings[i].size(), &target),
                 Code::kInternal);
    std::memcpy(target, view.strings[i].data(), view.strings[i].size());
  }
  return {};
}

Status MakeOutputs(const OrtApi& api, std::vector<OrtValuePtr> values,
                   std::shared_ptr<OutputBlock>& outputs) {
  auto block = std::make_shared<OrtOutputs>();
  block->values = std::move(values);
  block->tensors.resize(block->values.size());
  block->strings.resize(block->values.size());
  for (size_t i = 0; i < block->values.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(
        ViewOutput(api, block->values[i].get(), block->strings[i], block->tensors[i]));
  }
  outputs = std::move(block);
  return {};
}

Status ReadSignature(const OrtApi& api, const OrtSession* session, Signature& signature) {
  size_t inputs = 0;
  size_t outputs = 0;
  MILLRACE_ORT(api, SessionGetInputCount(session, &inputs), Code::kInternal);
  MILLRACE_ORT(api, SessionGetOutputCount(session, &outputs), Code::kInternal);
  MILLRACE_RETURN_IF_ERROR(ReadSpecs(api, session, inputs, true, signature.inputs));
  return ReadSpecs(api, session, outputs, false, signature.outputs);
}

}  // namespace millrace
