#include "ort/messages.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

struct Case {
  const char* message;
  const char* plain;
};

// As ONNX Runtime 1.30.0 says them.
const Case kRuns[] = {
    {"Non-zero status code returned while running Gather node. Name:'/emb/Gather' Status Message: "
     "indices element out of data bounds, idx=5 must be within the inclusive range [-3,2]",
     "The model refuses the inputs: Gather node: indices element out of data bounds, idx=5 must be "
     "within the inclusive range [-3,2]"},
    {"Non-zero status code returned while running Reshape node. Name:'/blk/Reshape' Status Message: "
     "/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 "
     "onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, "
     "onnxruntime::TensorShapeVector&, bool) input_shape_size == requested_shape_size was false. The "
     "input tensor cannot be reshaped to the requested shape. Input shape:{4}, requested shape:{3}\n",
     "The model refuses the inputs: Reshape node: The input tensor cannot be reshaped to the requested "
     "shape. Input shape:{4}, requested shape:{3}"},
    {"Non-zero status code returned while running Add node. Name:'' Status Message: "
     "/onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void "
     "onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was "
     "false. Attempting to broadcast an axis by a dimension other than 1. 3 by 4\n",
     "The model refuses the inputs: Add node: Attempting to broadcast an axis by a dimension other than "
     "1. 3 by 4"},
    {"Non-zero status code returned while running MatMul node. Name:'' Status Message: "
     "matmul_helper.h:59 Compute MatMul dimension mismatch",
     "The model refuses the inputs: MatMul node: MatMul dimension mismatch"},
    {"Non-zero status code returned while running Concat node. Name:'' Status Message: concatbase.h:133 "
     "PrepareForComputeImpl Non concat axis dimensions must match: Axis 1 has mismatched dimensions of "
     "2 and 4",
     "The model refuses the inputs: Concat node: Non concat axis dimensions must match: Axis 1 has "
     "mismatched dimensions of 2 and 4"},
    {"Non-zero status code returned while running ConstantOfShape node. Name:'' Status Message: "
     "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* "
     "onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate "
     "memory for requested buffer of size 800000000000\n",
     "The run needs more memory than there is (800000000000 bytes at once): send fewer or smaller rows"},
    {"Non-zero status code returned while running ConstantOfShape node. Name:'' Status Message: "
     "/onnxruntime_src/onnxruntime/core/framework/op_kernel.cc:83 virtual OrtValue* "
     "onnxruntime::OpKernelContext::OutputMLValue(int, const onnxruntime::TensorShape&) "
     "[ONNXRuntimeError] : 1 : FAIL : tensor.cc:57 CalculateTensorStorageSize Tensor shape.Size() must "
     "be >= 0\n",
     "The model refuses the inputs: ConstantOfShape node: Tensor shape.Size() must be >= 0"},
    {"Non-zero status code returned while running GatherElements node. Name:'' Status Message: "
     "/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/gather_elements.cc:150 void "
     "onnxruntime::core_impl(const Tensor*, const Tensor*, Tensor*, int64_t, concurrency::ThreadPool*) "
     "[with Tin = long int; int64_t = long int] GatherElements op: Out of range value in index tensor\n",
     "The model refuses the inputs: GatherElements node: GatherElements op: Out of range value in index "
     "tensor"},
    {"Non-zero status code returned while running Cast node. Name:'' Status Message: stod",
     "The model refuses the inputs: Cast node: a string is not a number"},
    {"Non-zero status code returned while running Div node. Name:'' Status Message: "
     "element_wise_ops.cc:692 Compute Integer division by zero",
     "Div node: Integer division by zero"},
    {"CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; "
     "file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:121 ; expr=cudaStreamSynchronize",
     "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; expr=cudaStreamSynchronize"},
};

TEST(ExplainRun, SaysWhatTheModelSaysAndNothingOfItsSource) {
  for (const auto& [message, plain] : kRuns) {
    EXPECT_EQ(ExplainRun(message, false).message(), plain);
  }
}

TEST(ExplainRun, TellsTheCodeFromTheMessage) {
  for (const auto& [message, plain] : kRuns) {
    const std::string_view sentence = plain;
    const Code code = sentence.starts_with("The model refuses") ? Code::kInvalidArgument
                      : sentence.starts_with("The run needs")   ? Code::kResourceExhausted
                                                                : Code::kInternal;
    EXPECT_EQ(ExplainRun(message, false).code(), code) << message;
  }
  EXPECT_EQ(ExplainRun("Something else", true).code(), Code::kInvalidArgument);
  EXPECT_EQ(ExplainRun("CUDA failure 2: out of memory", true).code(), Code::kResourceExhausted);
}

TEST(PlainMessage, KeepsWhatLooksLikeSourceAndIsNot) {
  for (const char* plain :
       {"", "Load model from model.onnx failed: Protobuf parsing failed.", "v1.h is no version",
        "Got 3 (expected 4) of x.cc:y", "See a.h: twelve"}) {
    EXPECT_EQ(PlainMessage(plain), plain);
  }
}

TEST(PlainMessage, EndsWhereAMessageIsCutShort) {
  for (const auto& [message, plain] : kRuns) {
    const std::string_view whole = message;
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_LE(PlainMessage(whole.substr(0, size)).size(), size + 2);
    }
  }
  EXPECT_EQ(PlainMessage("/src/x.cc:1 void ns::F(int, Status (*)(A)) const [with T = float] Said"), "Said");
  EXPECT_EQ(PlainMessage("/src/x.cc:1 ns::F(int)::<lambda(int)> Said"), "Said");
  EXPECT_EQ(PlainMessage("a\n  b\tfailed:Protobuf"), "a b failed: Protobuf");
}

TEST(SaysOutOfMemory, KnowsTheMessages) {
  EXPECT_TRUE(SaysOutOfMemory("CUDA failure 2: out of memory"));
  EXPECT_TRUE(SaysOutOfMemory("Failed to allocate memory for requested buffer of size 4"));
  EXPECT_FALSE(SaysOutOfMemory("Invalid rank for input"));
}

}  // namespace
}  // namespace millrace
