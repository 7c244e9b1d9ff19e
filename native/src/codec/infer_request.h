// Inference requests of the Open Inference Protocol V2: JSON, and the binary data that may follow it.
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
  // Where in the body the elements are, if they are binary: the parser leaves them there. All other
  // elements went to the sink.
  std::optional<size_t> offset;
  size_t bytes = 0;  // of those binary elements
};

struct InferOutput {
  std::string name;
  Parameters parameters;
};

struct InferRequest {
  std::string id;
  Parameters parameters;
  std::vector<InferInput> inputs;
  // Absent if the request does not list outputs and thereby asks for all.
  std::optional<std::vector<InferOutput>> outputs;
};

// Memory for elements, by the number of their input. It is asked once for an input at most, and never
// for more elements than the body has bytes. What it was given counts only if the whole parse succeeds.
class InferSink {
 public:
  virtual ~InferSink() = default;

  // Memory for `count` numbers of `type`, of any alignment; any address but null if `count` is 0.
  // Null refuses.
  virtual std::byte* Numbers(size_t input, ElementType type, size_t count) = 0;

  // Announces `count` strings. False refuses.
  virtual bool Strings(size_t input, size_t count) = 0;

  // String number `element`, in ascending order. The characters are UTF-8 and the caller's. False
  // refuses.
  virtual bool String(size_t input, size_t element, std::string_view text) = 0;
};

struct InferLimits {
  size_t max_bytes = size_t{64} << 20;  // of the whole body
  size_t max_tensors = 256;             // inputs; outputs
  size_t max_parameters = 256;          // of one owner
  size_t max_strings = SIZE_MAX;        // elements of all BYTES inputs
};

// Parses `body`. Its first `header_length` bytes are JSON, or all of it where that is absent; binary
// data follows, in the order of the inputs that have the parameter binary_data_size.
//
// Beyond the protocol: members may come in any order; FP16 and BF16 are read from JSON too; null
// stands for an absent id, parameters or outputs; members that are not known are skipped. Stricter
// than others: a member, parameter or input given twice is refused, and so are integers that do not
// fit their type. BYTES in JSON are UTF-8; in binary they may be any bytes.
//
// Ids, names and strings of parameters have at most kMaxText bytes. kInvalidArgument with a sentence
// that names the input and what was expected; kResourceExhausted if the sink refuses. Memory is proportional to the body's size, stack is constant.
Status ParseInferRequest(std::string_view body, std::optional<size_t> header_length,
                         NonFinite non_finite, const InferLimits& limits, InferSink& sink,
                         InferRequest& request);

}  // namespace millrace
