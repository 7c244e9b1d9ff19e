// Which provider ran each node of a model, read from ONNX Runtime's profile of one run.
#pragma once

#include <string>
#include <vector>

#include "batching/status.h"

namespace millrace {

struct NodePlacement {
  std::string name;
  std::string op;
  // ONNX Runtime's name, such as `CUDAExecutionProvider`.
  std::string provider;
};

// The nodes of the profile `json`, each once, in the order they first ran. Nodes that the optimiser
// removed or fused are not in it, and a TensorRT engine is one node.
std::vector<NodePlacement> ParseProfile(const std::string& json);

// Reads the profile at `path` and removes the file.
Status ReadProfile(const std::string& path, std::vector<NodePlacement>& nodes);

// Nodes that ran on the CPU, as `name (Op)`.
std::vector<std::string> CpuNodes(const std::vector<NodePlacement>& nodes);

}  // namespace millrace
