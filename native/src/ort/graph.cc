#include "ort/graph.h"

namespace millrace {
namespace {

bool Has(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

bool RefusesGraphs(const std::string& message, std::string& reason) {
  if (!Has(message, "cannot use the graph capture feature")) return false;
  if (Has(message, "control flow")) {
    reason = "the model has control flow, which a graph cannot record";
  } else if (Has(message, "have not been")) {
    reason = "some nodes do not run on the GPU, and a graph records all or nothing";
  } else {
    reason = "ONNX Runtime refuses them for this model";
  }
  return true;
}

bool RefusesProfile(const std::string& message) {
  return Has(message, "dynamic shape inputs with associated profiles");
}

std::string GraphsOff(const std::string& reason) { return "CUDA graphs are off: " + reason; }

std::string ShapeGraphOff(int64_t rows, const std::string& reason) {
  return "No CUDA graph for the device shape of " + std::to_string(rows) + " rows: " + reason;
}

std::string OutputsNotStatic(int64_t rows, const std::string& output) {
  return "The shape of output '" + output + "' depends on the data, so the device shape of " +
         std::to_string(rows) + " rows has no fixed output buffers and no CUDA graph";
}

}  // namespace millrace
