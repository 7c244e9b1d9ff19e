// One element of a request's `inputs`.
#pragma once

#include <string_view>

#include "codec/infer_request.h"

namespace millrace {

// What the readers of all inputs share. `binary` is where the next input's binary data begins, `inputs`
// how many were read before, and `strings` how many elements the BYTES inputs among them have.
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

// Reads the object at the source's cursor, and its elements from wherever they are. Errors are those of
// ParseInferRequest.
Status ReadInferInput(InferSource& source, InferInput& input);

}  // namespace millrace
