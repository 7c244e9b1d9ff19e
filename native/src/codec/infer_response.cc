#include "codec/infer_response.h"

#include <cstring>
#include <string>

#include "codec/datatype.h"
#include "codec/tensor_writer.h"

namespace millrace {
namespace {

size_t StringCount(const TensorView& tensor) noexcept {
  return static_cast<size_t>(tensor.shape.Elements().value_or(0));
}

size_t BinarySize(const TensorView& tensor) noexcept {
  if (tensor.type != ElementType::kString) return tensor.bytes;
  size_t bytes = 0;
  for (size_t i = 0; i < StringCount(tensor); ++i) bytes += sizeof(uint32_t) + tensor.strings[i].size();
  return bytes;
}

void AppendBinary(const TensorView& tensor, JsonBuffer& out) {
  if (tensor.type != ElementType::kString) {
    out.Append({reinterpret_cast<const char*>(tensor.data), tensor.bytes});
    return;
  }
  for (size_t i = 0; i < StringCount(tensor); ++i) {
    const auto length = static_cast<uint32_t>(tensor.strings[i].size());
    char bytes[sizeof length];
    std::memcpy(bytes, &length, sizeof length);
    out.Append({bytes, sizeof bytes});
    out.Append(tensor.strings[i]);
  }
}

void AppendMember(std::string_view name, std::string_view text, JsonBuffer& out) {
  if (text.empty()) return;
  out.Append(",\"");
  out.Append(name);
  out.Append("\":");
  AppendString(text, out);
}

Status AppendOutput(const InferResponseOutput& output, NonFinite non_finite, JsonBuffer& out) {
  out.Append("{\"name\":");
  AppendString(output.name, out);
  AppendMember("datatype", DatatypeName(output.tensor.type), out);
  out.Append(",\"shape\":[");
  bool first = true;
  for (const int64_t size : output.tensor.shape.view()) {
    if (!first) out.Append(",");
    first = false;
    out.AppendInteger(size);
  }
  if (output.binary) {
    out.Append("],\"parameters\":{\"binary_data_size\":");
    out.AppendInteger(BinarySize(output.tensor));
    out.Append("}}");
    return {};
  }
  out.Append("],\"data\":");
  MILLRACE_RETURN_IF_ERROR(AppendTensor(output.tensor, non_finite, out));
  out.Append("}");
  return {};
}

}  // namespace

Status AppendInferResponse(const InferResponse& response, NonFinite non_finite, JsonBuffer& out,
                           size_t& json_bytes) {
  const size_t start = out.size();
  out.Append("{\"model_name\":");
  AppendString(response.model_name, out);
  AppendMember("model_version", response.model_version, out);
  AppendMember("id", response.id, out);
  out.Append(",\"outputs\":[");
  for (const InferResponseOutput& output : response.outputs) {
    if (&output != response.outputs.data()) out.Append(",");
    const Status status = AppendOutput(output, non_finite, out);
    if (!status.ok()) {
      out.Truncate(start);
      return {status.code(), "Output '" + std::string(output.name) + "': " + status.message()};
    }
  }
  out.Append("]}");
  json_bytes = out.size() - start;
  for (const InferResponseOutput& output : response.outputs) {
    if (output.binary) AppendBinary(output.tensor, out);
  }
  return {};
}

}  // namespace millrace
