// ONNX Runtime's tensors, made from views and viewed.
#pragma once

#include <span>
#include <vector>

#include "batching/executor.h"
#include "ort/api.h"

namespace millrace {

// Type and shape of a tensor, wherever its data is.
Status ReadTypeAndShape(const OrtApi& api, const OrtValue* value, ElementType& type, Shape& shape);

// A tensor in memory that `info` describes. It refers to the view's data, strings aside, which are
// copied.
Status MakeTensor(const OrtApi& api, const OrtMemoryInfo* info, const TensorView& view,
                  OrtValuePtr& value);

// Takes over `values`, which must be tensors in the CPU's memory, as the outputs of a run.
Status MakeOutputs(const OrtApi& api, std::vector<OrtValuePtr> values,
                   std::shared_ptr<OutputBlock>& outputs);

// Names, types and shapes of what a session takes and gives. kUnimplemented for what has no
// JavaScript form.
Status ReadSignature(const OrtApi& api, const OrtSession* session, Signature& signature);

}  // namespace millrace
