// Inference responses of the Open Inference Protocol V2.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/json_buffer.h"
#include "codec/json_cursor.h"

namespace millrace {

struct InferResponseOutput {
  std::string_view name;
  TensorView tensor;
  bool binary = false;  // raw after the JSON instead of in it
};

struct InferResponse {
  std::string_view model_name;
  std::string_view model_version;  // left out if empty
  std::string_view id;             // left out if empty
  std::span<const InferResponseOutput> outputs;
};

// Appends the body of an answer to `out`: JSON, then the data of the binary outputs in their order.
// `json_bytes` is the length of the former, for the header Inference-Header-Content-Length, which
// belongs to an answer that has binary outputs.
//
// Errors are those of AppendTensor, with the output's name; `out` is then as it was.
Status AppendInferResponse(const InferResponse& response, NonFinite non_finite, JsonBuffer& out,
                           size_t& json_bytes);

}  // namespace millrace
