// When runs cannot replay a recorded CUDA graph, and why, in words for an operator.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// Whether ONNX Runtime refused a session because graphs were asked for. `reason` completes "CUDA
// graphs are off: …".
bool RefusesGraphs(const std::string& message, std::string& reason);

// Whether TensorRT refused the declared shapes because it runs parts of the model only, whose inputs are
// no inputs of the model.
bool RefusesProfile(const std::string& message);

// Notes of the report.
std::string GraphsOff(const std::string& reason);
std::string ShapeGraphOff(int64_t rows, const std::string& reason);
std::string OutputsNotStatic(int64_t rows, const std::string& output);

}  // namespace millrace
