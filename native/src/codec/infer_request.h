// The parser of requests of the Open Inference Protocol V2: JSON, and the binary data that may follow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/infer_text.h"
#include "codec/json_cursor.h"

namespace millrace {

struct InferInput {
  std::string name;
  ElementType type = ElementType::kUndefined;
  Shape shape;
  size_t elements = 0;  // product of the shape
  Parameters parameters;
  // The offset of the elements in the body, if they are binary data. The sink receives all other elements.
  std::optional<size_t> offset;
  size_t bytes = 0;  // of the binary data
};

struct InferOutput {
  std::string name;
  Parameters parameters;
};

struct InferRequest {
  std::string id;
  Parameters parameters;
  std::vector<InferInput> inputs;
  // Absent if the request does not list outputs, which means that it requests all of them.
  std::optional<std::vector<InferOutput>> outputs;
};

// Receives the elements of inputs. `input` is the index of an input in the request. Numbers() or Strings() is called at
// most once for each input, and never for more elements than the body has bytes. The contents are valid only if the
// whole parse succeeds.
class InferSink {
 public:
  virtual ~InferSink() = default;

  // Returns memory of any alignment for `count` numbers of `type`, or null if there is no room for them. If `count` is
  // 0, any address other than null will do.
  virtual std::byte* Numbers(size_t input, ElementType type, size_t count) = 0;

  // Prepares for `count` strings. Returns false if there is no room for them.
  virtual bool Strings(size_t input, size_t count) = 0;

  // Takes the string with the index `element`, in ascending order. It is UTF-8, and valid during the call. Returns
  // false if there is no room for it.
  virtual bool String(size_t input, size_t element, std::string_view text) = 0;
};

struct InferLimits {
  size_t max_bytes = size_t{64} << 20;  // of the whole body
  size_t max_tensors = 256;             // of the inputs, and of the outputs
  size_t max_parameters = 256;          // of the request, of each input and of each output
  size_t max_strings = SIZE_MAX;        // of the elements of all BYTES inputs together
};

// Parses `body`. Its first `header_length` bytes are JSON; if that is absent, the whole body is. After the JSON comes
// the binary data, in the order of the inputs that have the parameter binary_data_size. Thread-safe.
//
// It accepts more than the protocol: members in any order, FP16 and BF16 in JSON, null for an absent id, absent
// parameters or outputs, and unknown members. It is stricter than other servers: duplicate members, parameters and
// inputs are refused, and so are integers that do not fit their type. BYTES are UTF-8 in JSON, and any bytes in binary
// data.
//
// Ids, names and strings of parameters have at most kMaxText bytes. Returns kInvalidArgument with a message that names
// the input and what was expected, or kResourceExhausted if the sink has no room. Its memory is proportional to the
// size of the body, and its stack is constant.
Status ParseInferRequest(std::string_view body, std::optional<size_t> header_length,
                         NonFinite non_finite, const InferLimits& limits, InferSink& sink,
                         InferRequest& request);

}  // namespace millrace
