#include "codec/tensor_writer.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "batching/half.h"
#include "codec/packed_strings.h"
#include "codec/shortest_float.h"
#include "codec/utf8.h"

namespace millrace {
namespace {

// The number of elements that are written between two checks of the buffer's capacity.
constexpr size_t kChunk = 1024;

// The most bytes of an element with its comma.
constexpr size_t kLongest = 32;
static_assert(kLongest >= kFloatRoom);

char* Copy(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// Returns null if the policy has no text for `value`.
template <typename Float>
char* WriteNonFinite(char* at, Float value, NonFinite non_finite) noexcept {
  switch (non_finite) {
    case NonFinite::kNull:
      return Copy(at, "null");
    case NonFinite::kLiteral:
      if (std::isnan(value)) return Copy(at, "NaN");
      return Copy(at, value < 0 ? "-Infinity" : "Infinity");
    case NonFinite::kString:
      if (std::isnan(value)) return Copy(at, "\"NaN\"");
      return Copy(at, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    case NonFinite::kError:
    case NonFinite::kAny:
      break;
  }
  return nullptr;
}

template <typename Value>
char* WriteNumber(char* at, Value value, NonFinite non_finite) noexcept {
  if constexpr (std::is_same_v<Value, bool>) {
    return Copy(at, value ? "true" : "false");
  } else {
    if constexpr (std::is_floating_point_v<Value>) {
      if (!std::isfinite(value)) [[unlikely]] return WriteNonFinite(at, value, non_finite);
    }
    if constexpr (std::is_same_v<Value, float>) return WriteFloat(at, value);
    return std::to_chars(at, at + kLongest, value).ptr;
  }
}

Status NoText(size_t element, ElementType type) {
  return {Code::kFailedPrecondition, std::string("A ") + ElementName(type) + " tensor has NaN or Infinity in element " +
                                         std::to_string(element) +
                                         ", which JSON has no number for: ask for null or literal"};
}

// Appends the elements of `tensor`, which have the type Stored in memory and are converted with `value_of`.
template <typename Stored, typename ValueOf>
Status Append(const TensorView& tensor, NonFinite non_finite, JsonBuffer& out, ValueOf&& value_of) {
  const size_t count = tensor.bytes / sizeof(Stored);
  const size_t start = out.size();
  out.Append("[");
  for (size_t first = 0; first < count; first += kChunk) {
    const size_t last = std::min(first + kChunk, count);
    char* at = out.Reserve((last - first) * kLongest);
    for (size_t i = first; i < last; ++i) {
      Stored stored;
      std::memcpy(&stored, tensor.data + i * sizeof stored, sizeof stored);
      at = WriteNumber(at, value_of(stored), non_finite);
      if (at == nullptr) {
        out.Truncate(start);
        return NoText(i, tensor.type);
      }
      *at++ = ',';
    }
    out.Commit(at);
  }
  if (count != 0) out.Truncate(out.size() - 1);
  out.Append("]");
  return {};
}

template <typename Value>
Status Append(const TensorView& tensor, NonFinite non_finite, JsonBuffer& out) {
  return Append<Value>(tensor, non_finite, out, [](Value value) { return value; });
}

void AppendStrings(const TensorView& tensor, JsonBuffer& out) {
  const auto count = static_cast<size_t>(tensor.shape.Elements().value_or(0));
  out.Append("[");
  for (size_t i = 0; i < count; ++i) {
    if (i != 0) out.Append(",");
    AppendString(tensor.strings[i], out);
  }
  out.Append("]");
}

// Returns the number of bytes at the front of `text` that are written without an escape.
size_t PlainLength(std::string_view text) noexcept {
  size_t length = 0;
  while (length < text.size()) {
    const auto byte = static_cast<unsigned char>(text[length]);
    if (byte < 0x20 || byte == '"' || byte == '\\') break;
    const size_t step = SequenceLength(text.substr(length));
    if (step == 0) break;
    length += step;
  }
  return length;
}

void AppendEscape(char byte, JsonBuffer& out) {
  constexpr std::string_view kValues = "\"\\\b\f\n\r\t";
  constexpr std::string_view kNames = "\"\\bfnrt";
  const size_t index = kValues.find(byte);
  if (index != std::string_view::npos) {
    const char escape[] = {'\\', kNames[index]};
    out.Append({escape, sizeof escape});
  } else if (static_cast<unsigned char>(byte) < 0x20) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const char escape[] = {'\\', 'u', '0', '0', kHex[static_cast<size_t>(byte >> 4)],
                           kHex[static_cast<size_t>(byte & 15)]};
    out.Append({escape, sizeof escape});
  } else {
    out.Append("\uFFFD");
  }
}

Status AppendPackedStrings(const TensorView& tensor, JsonBuffer& out) {
  const size_t start = out.size();
  PackedStrings strings({reinterpret_cast<const char*>(tensor.data), tensor.bytes});
  std::string_view element;
  out.Append("[");
  for (size_t i = 0; strings.Next(element); ++i) {
    if (i != 0) out.Append(",");
    if (!IsUtf8(element)) {
      out.Truncate(start);
      return {Code::kInvalidArgument, "Element " + std::to_string(i) +
                                          " of a BYTES output is not UTF-8, which JSON cannot carry: ask "
                                          "for the output as binary data"};
    }
    AppendString(element, out);
  }
  out.Append("]");
  return {};
}

}  // namespace

Status AppendTensor(const TensorView& tensor, NonFinite non_finite, JsonBuffer& out) {
  switch (tensor.type) {
    case ElementType::kFloat32:
      return Append<float>(tensor, non_finite, out);
    case ElementType::kFloat64:
      return Append<double>(tensor, non_finite, out);
    case ElementType::kFloat16:
      return Append<uint16_t>(tensor, non_finite, out, HalfToFloat);
    case ElementType::kBfloat16:
      return Append<uint16_t>(tensor, non_finite, out, BfloatToFloat);
    case ElementType::kInt8:
      return Append<int8_t>(tensor, non_finite, out);
    case ElementType::kInt16:
      return Append<int16_t>(tensor, non_finite, out);
    case ElementType::kInt32:
      return Append<int32_t>(tensor, non_finite, out);
    case ElementType::kInt64:
      return Append<int64_t>(tensor, non_finite, out);
    case ElementType::kUint8:
      return Append<uint8_t>(tensor, non_finite, out);
    case ElementType::kUint16:
      return Append<uint16_t>(tensor, non_finite, out);
    case ElementType::kUint32:
      return Append<uint32_t>(tensor, non_finite, out);
    case ElementType::kUint64:
      return Append<uint64_t>(tensor, non_finite, out);
    case ElementType::kBool:
      return Append<uint8_t>(tensor, non_finite, out, [](uint8_t byte) { return byte != 0; });
    case ElementType::kString:
      if (tensor.strings == nullptr) return AppendPackedStrings(tensor, out);
      AppendStrings(tensor, out);
      return {};
    case ElementType::kUndefined:
      break;
  }
  return {Code::kUnimplemented, "A tensor of a type that has no JSON form"};
}

void AppendString(std::string_view text, JsonBuffer& out) {
  out.Append("\"");
  while (!text.empty()) {
    const size_t plain = PlainLength(text);
    out.Append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    AppendEscape(text[0], out);
    text.remove_prefix(1);
  }
  out.Append("\"");
}

}  // namespace millrace
