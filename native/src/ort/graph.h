// Explains to operators why runs cannot replay a recorded CUDA graph.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// Returns whether ONNX Runtime refused a session because graphs were requested. `reason` then completes "CUDA graphs
// are off: …".
bool RefusesGraphs(const std::string& message, std::string& reason);

// Returns whether TensorRT refused the declared shapes because it runs only parts of the model, whose inputs are not
// inputs of the model.
bool RefusesProfile(const std::string& message);

// Return the notes for DeviceReport::notes.
std::string GraphsOff(const std::string& reason);
std::string ShapeGraphOff(int64_t rows, const std::string& reason);
std::string OutputsNotStatic(int64_t rows, const std::string& output);

}  // namespace millrace
