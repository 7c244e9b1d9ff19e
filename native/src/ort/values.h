// Makes ONNX Runtime's tensors from views, and views of them.
#pragma once

#include <span>
#include <vector>

#include "batching/executor.h"
#include "ort/api.h"

namespace millrace {

// Reads the type and shape of a tensor, whatever device its data is on.
Status ReadTypeAndShape(const OrtApi& api, const OrtValue* value, ElementType& type, Shape& shape);

// Makes a tensor in the memory that `info` describes. The tensor refers to the view's data, except that strings are
// copied.
Status MakeTensor(const OrtApi& api, const OrtMemoryInfo* info, const TensorView& view,
                  OrtValuePtr& value);

// Takes over `values`, which must be tensors in the CPU's memory, as the outputs of a run.
Status MakeOutputs(const OrtApi& api, std::vector<OrtValuePtr> values,
                   std::shared_ptr<OutputBlock>& outputs);

// Reads the names, types and shapes of a session's inputs and outputs. Returns kUnimplemented if one of them has no
// JavaScript form.
Status ReadSignature(const OrtApi& api, const OrtSession* session, Signature& signature);

}  // namespace millrace
