// The parser of an element of a request's `inputs`.
#pragma once

#include <string_view>

#include "codec/infer_request.h"

namespace millrace {

// The state that the parsers of all inputs of a request share. `binary` is the offset in the body at which the next
// input's binary data begins, `inputs` is the number of inputs before this one, and `strings` is the number of BYTES
// elements so far.
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

// Parses the object at the source's cursor, and passes its elements to the sink unless they are binary data. Returns
// the errors of ParseInferRequest.
Status ReadInferInput(InferSource& source, InferInput& input);

}  // namespace millrace
