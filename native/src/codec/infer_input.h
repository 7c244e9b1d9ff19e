// The parser of an element of a request's `inputs`.
#pragma once

#include <string_view>

#include "codec/infer_request.h"

namespace millrace {

// What the parsers of all inputs of a request share. `binary` is the offset at which the next input's binary data begins,
// `inputs` the number of inputs before, and `strings` the number of their BYTES elements.
struct InferSource {
  std::string_view body;
  JsonCursor& cursor;
  size_t binary;
  size_t inputs;
  size_t strings;
  const NonFinite non_finite;
  const InferLimits& limits;
  InferSink& sink;
};

// Parses the object at the source's cursor, and its elements in the JSON. Returns the errors of ParseInferRequest.
Status ReadInferInput(InferSource& source, InferInput& input);

}  // namespace millrace
