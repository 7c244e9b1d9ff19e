// Numbers of the fields in onnx.proto that are read or written.
#pragma once

#include <cstdint>

namespace millrace {

namespace model_field {
inline constexpr uint32_t kGraph = 7;
inline constexpr uint32_t kOpset = 8;
inline constexpr uint32_t kMetadata = 14;
inline constexpr uint32_t kFunction = 25;
}  // namespace model_field
namespace opset_field {
inline constexpr uint32_t kDomain = 1;
inline constexpr uint32_t kVersion = 2;
}  // namespace opset_field
namespace metadata_field {
inline constexpr uint32_t kKey = 1;
inline constexpr uint32_t kValue = 2;
}  // namespace metadata_field
namespace graph_field {
inline constexpr uint32_t kNode = 1;
inline constexpr uint32_t kInitializer = 5;
inline constexpr uint32_t kInput = 11;
inline constexpr uint32_t kOutput = 12;
inline constexpr uint32_t kSparseInitializer = 15;
}  // namespace graph_field
namespace function_field {
inline constexpr uint32_t kNode = 7;
}  // namespace function_field
namespace node_field {
inline constexpr uint32_t kInput = 1;
inline constexpr uint32_t kOutput = 2;
inline constexpr uint32_t kOpType = 4;
inline constexpr uint32_t kAttribute = 5;
inline constexpr uint32_t kDomain = 7;
}  // namespace node_field
namespace attribute_field {
inline constexpr uint32_t kName = 1;
inline constexpr uint32_t kInt = 3;
inline constexpr uint32_t kTensor = 5;
inline constexpr uint32_t kGraph = 6;
inline constexpr uint32_t kInts = 8;
inline constexpr uint32_t kStrings = 9;
inline constexpr uint32_t kTensors = 10;
inline constexpr uint32_t kGraphs = 11;
inline constexpr uint32_t kType = 20;
inline constexpr uint32_t kSparseTensor = 22;
}  // namespace attribute_field
namespace tensor_field {
inline constexpr uint32_t kDimension = 1;
inline constexpr uint32_t kElement = 2;
inline constexpr uint32_t kName = 8;
inline constexpr uint32_t kRaw = 9;
inline constexpr uint32_t kExternalData = 13;
}  // namespace tensor_field
namespace value_field {
inline constexpr uint32_t kName = 1;
inline constexpr uint32_t kType = 2;
}  // namespace value_field
namespace type_field {
inline constexpr uint32_t kTensor = 1;
}  // namespace type_field
namespace tensor_type_field {
inline constexpr uint32_t kElement = 1;
inline constexpr uint32_t kShape = 2;
}  // namespace tensor_type_field
namespace shape_field {
inline constexpr uint32_t kDimension = 1;
}  // namespace shape_field
namespace dimension_field {
inline constexpr uint32_t kValue = 1;
inline constexpr uint32_t kSymbol = 2;
}  // namespace dimension_field

}  // namespace millrace
