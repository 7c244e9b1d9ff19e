#include "codec/infer_request.h"

#include <utility>

#include "codec/infer_input.h"

namespace millrace {
namespace {

constexpr Owner kRequest{"The request"};

class RequestReader {
 public:
  RequestReader(std::string_view body, size_t json, NonFinite non_finite, const InferLimits& limits,
                InferSink& sink, InferRequest& request) noexcept
      : cursor_(body.substr(0, json)),
        source_{body, cursor_, json, 0, 0, non_finite, limits, sink},
        request_(request) {}

  Status Read();

 private:
  enum Member : int { kId, kParameters, kInputs, kOutputs };

  Status ReadMember(int member);
  Status ReadInput();
  Status ReadOutput();

  JsonCursor cursor_;
  InferSource source_;
  InferRequest& request_;
  bool has_inputs_ = false;
};

Status RequestReader::Read() {
  MILLRACE_RETURN_IF_ERROR(ReadObject(cursor_, kRequest, source_.non_finite,
                                      {"id", "parameters", "inputs", "outputs"},
                                      [this](int member) { return ReadMember(member); }));
  cursor_.SkipSpace();
  if (cursor_.at != cursor_.end) {
    cursor_.Fail("expected the end of the text");
    return Malformed(cursor_);
  }
  if (!has_inputs_) return Invalid(kRequest, "has no member 'inputs': expected an array of inputs");
  if (source_.binary != source_.body.size()) {
    return Invalid(kRequest, "has " + std::to_string(source_.body.size() - source_.binary) +
                                 " bytes after the binary data of its inputs: expected none");
  }
  return {};
}

Status RequestReader::ReadMember(int member) {
  const size_t most = source_.limits.max_tensors;
  switch (member) {
    case kInputs:
      has_inputs_ = true;
      return ReadArray(cursor_, kRequest, "inputs", most, [this] { return ReadInput(); });
    case kParameters:
      return ReadParameters(cursor_, kRequest, source_.limits.max_parameters, request_.parameters);
    default:
      break;
  }
  if (cursor_.TakeWord("null")) return {};
  if (member == kId) return ReadText(cursor_, kRequest, "id", request_.id);
  request_.outputs.emplace();
  return ReadArray(cursor_, kRequest, "outputs", most, [this] { return ReadOutput(); });
}

Status RequestReader::ReadInput() {
  InferInput input;
  MILLRACE_RETURN_IF_ERROR(ReadInferInput(source_, input));
  for (const InferInput& other : request_.inputs) {
    if (other.name == input.name) {
      return Invalid({"Input", source_.inputs, &input.name}, "is given twice");
    }
  }
  request_.inputs.push_back(std::move(input));
  ++source_.inputs;
  return {};
}

Status RequestReader::ReadOutput() {
  InferOutput output;
  bool has_name = false;
  const Owner owner{"Output", request_.outputs->size(), &output.name};
  MILLRACE_RETURN_IF_ERROR(
      ReadObject(cursor_, owner, source_.non_finite, {"name", "parameters"}, [&](int member) {
        if (member == 1) {
          return ReadParameters(cursor_, owner, source_.limits.max_parameters, output.parameters);
        }
        has_name = true;
        return ReadText(cursor_, owner, "name", output.name);
      }));
  if (!has_name) return Invalid(owner, "has no member 'name': expected a string");
  if (Find(output.parameters, "shared_memory_region") != nullptr) {
    return Invalid(owner, "is wanted in shared memory, which is not supported");
  }
  for (const InferOutput& other : *request_.outputs) {
    if (other.name == output.name) return Invalid(owner, "is asked for twice");
  }
  request_.outputs->push_back(std::move(output));
  return {};
}

}  // namespace

Status ParseInferRequest(std::string_view body, std::optional<size_t> header_length,
                         NonFinite non_finite, const InferLimits& limits, InferSink& sink,
                         InferRequest& request) {
  if (body.size() > limits.max_bytes) {
    return Invalid(kRequest, "has " + std::to_string(body.size()) + " bytes: expected at most " +
                                 std::to_string(limits.max_bytes));
  }
  const size_t json = header_length.value_or(body.size());
  if (json > body.size()) {
    return Invalid(kRequest, "should have a JSON length from 0 to " + std::to_string(body.size()) +
                                 ", but has " + std::to_string(json));
  }
  return RequestReader(body, json, non_finite, limits, sink, request).Read();
}

}  // namespace millrace
