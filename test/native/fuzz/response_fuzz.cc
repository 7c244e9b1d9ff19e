// V2 inference responses: always valid JSON in UTF-8, and with `inputs` for `outputs` a request that
// holds the same tensors.
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "codec/infer_request.h"
#include "codec/infer_response.h"
#include "codec/packed_strings.h"
#include "codec/utf8.h"
#include "support.h"

using namespace millrace;
using fuzz::Claim;

namespace {

struct Output {
  std::string name;
  std::vector<std::byte> bytes;
  std::vector<std::string> strings;
};

class Keep final : public InferSink {
 public:
  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    outputs.resize(std::max(outputs.size(), input + 1));
    // Never null, not even for nothing.
    outputs[input].bytes.reserve(count * ElementSize(type) + 1);
    outputs[input].bytes.resize(count * ElementSize(type));
    return outputs[input].bytes.data();
  }
  bool Strings(size_t input, size_t) override {
    outputs.resize(std::max(outputs.size(), input + 1));
    return true;
  }
  bool String(size_t input, size_t, std::string_view text) override {
    outputs[input].strings.emplace_back(text);
    return true;
  }
  std::deque<Output> outputs;
};

// Equal bit by bit, but for what is not finite: JSON has one NaN at most, and null for an infinity.
template <class Bits>
bool SameFloats(const std::vector<std::byte>& a, const std::vector<std::byte>& b, Bits exponent) {
  for (size_t at = 0; at < a.size(); at += sizeof(Bits)) {
    Bits x = 0;
    Bits y = 0;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    const bool finite = (x & exponent) != exponent;
    if (finite ? x != y : (y & exponent) != exponent) return false;
  }
  return true;
}

bool SameNumbers(ElementType type, const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  if (a.size() != b.size()) return false;
  switch (type) {
    case ElementType::kFloat32:
      return SameFloats<uint32_t>(a, b, 0x7f800000);
    case ElementType::kFloat64:
      return SameFloats<uint64_t>(a, b, 0x7ff0000000000000);
    case ElementType::kFloat16:
      return SameFloats<uint16_t>(a, b, 0x7c00);
    case ElementType::kBfloat16:
      return SameFloats<uint16_t>(a, b, 0x7f80);
    default:
      return a == b;
  }
}

// The tensors of a response, made from what the input holds.
void Make(fuzz::Source& source, std::deque<Output>& memory, std::vector<InferResponseOutput>& outputs) {
  const size_t count = source.Below(4);
  for (size_t i = 0; i < count; ++i) {
    Output& output = memory.emplace_back();
    output.name = std::to_string(i) + std::string(source.Take(source.Below(5)));
    TensorView view;
    view.type = fuzz::TypeOf(source);
    const size_t elements = source.Below(6);
    view.shape.rank = 2;
    view.shape.dims[0] = static_cast<int64_t>(elements);
    view.shape.dims[1] = 1;
    if (view.type == ElementType::kString) {
      for (size_t e = 0; e < elements; ++e) output.strings.emplace_back(source.Take(source.Below(6)));
    } else {
      output.bytes.resize(elements * ElementSize(view.type));
      const std::string_view given = source.Take(output.bytes.size());
      if (!given.empty()) std::memcpy(output.bytes.data(), given.data(), given.size());
      if (view.type == ElementType::kBool) {
        for (std::byte& byte : output.bytes) byte &= std::byte{1};
      }
    }
    view.data = output.bytes.data();
    view.bytes = output.bytes.size();
    view.strings = output.strings.data();
    outputs.push_back({output.name, view, source.Byte() % 2 == 1});
  }
}

bool AllUtf8(const std::deque<Output>& outputs) {
  return std::ranges::all_of(outputs, [](const Output& output) {
    return IsUtf8(output.name) && std::ranges::all_of(output.strings, IsUtf8);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Source source(data, size);
  const NonFinite non_finite = fuzz::NonFiniteOf(source);
  const std::string_view model = source.Take(source.Below(6));
  const std::string_view id = source.Take(source.Below(6));
  std::deque<Output> memory;
  std::vector<InferResponseOutput> outputs;
  Make(source, memory, outputs);

  JsonBuffer buffer;
  buffer.Append("before");
  size_t json_bytes = 0;
  const Status status = AppendInferResponse({model, "1", id, outputs}, non_finite, buffer, json_bytes);
  if (!status.ok()) {
    Claim(non_finite == NonFinite::kError && buffer.view() == "before", "a failure leaves no trace");
    return 0;
  }
  std::string body(buffer.view().substr(6));
  Claim(json_bytes <= body.size(), "the JSON is part of the body");
  const std::string_view json = std::string_view(body).substr(0, json_bytes);
  JsonCursor cursor(json);
  Claim(cursor.SkipValue(non_finite) && cursor.at == cursor.end, "the answer is valid JSON");
  Claim(IsUtf8(json), "the answer is UTF-8");

  // Bytes that are not UTF-8 become U+FFFD in JSON.
  if (!AllUtf8(memory)) return 0;
  // No string can hold these characters unescaped.
  constexpr std::string_view kOutputs = "\"outputs\":[";
  body.replace(body.find(kOutputs), kOutputs.size(), "\"inputs\":[");
  Keep sink;
  InferRequest request;
  const NonFinite read_as = non_finite == NonFinite::kError ? NonFinite::kNull : non_finite;
  const Status parsed = ParseInferRequest(body, json_bytes - 1, read_as, {}, sink, request);
  Claim(parsed.ok(), "an answer can be read as a request");
  Claim(request.inputs.size() == outputs.size(), "every output comes back");
  sink.outputs.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const InferInput& input = request.inputs[i];
    Claim(input.name == outputs[i].name, "the name comes back");
    Claim(input.type == outputs[i].tensor.type, "the type comes back");
    const std::vector<std::byte>& own = memory[i].bytes;
    if (input.offset && input.type == ElementType::kString) {
      PackedStrings packed(std::string_view(body).substr(*input.offset, input.bytes));
      std::string_view element;
      for (const std::string& string : memory[i].strings) {
        Claim(packed.Next(element) && element == string, "binary strings come back");
      }
      Claim(packed.done(), "no more strings come back");
    } else if (input.type == ElementType::kString) {
      Claim(sink.outputs[i].strings == memory[i].strings, "strings come back");
    } else if (input.offset) {
      const bool same = own.empty() || std::memcmp(body.data() + *input.offset, own.data(), own.size()) == 0;
      Claim(same, "binary data comes back bit by bit");
    } else {
      Claim(SameNumbers(input.type, own, sink.outputs[i].bytes), "numbers come back");
    }
  }
  return 0;
}
