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

// A folder for the profile of one session, whose name no other process can know in advance.
class ProfileFolder {
 public:
  ProfileFolder() = default;
  ProfileFolder(const ProfileFolder&) = delete;
  ProfileFolder& operator=(const ProfileFolder&) = delete;
  ~ProfileFolder() { Remove(); }

  // Makes the folder in that for temporary files. If that fails, the prefix stays empty.
  void Make();
  // Removes the folder with all that it holds.
  void Remove() noexcept;
  // Returns the path of the profile without its end, which ONNX Runtime appends, or "" if there is no folder.
  std::string prefix() const { return path_.empty() ? path_ : path_ + "/profile"; }

 private:
  std::string path_;
};

// Returns the nodes of the profile `json`, each once, in the order in which they first ran. Nodes that the optimiser
// removed or fused are not among them, and a TensorRT engine is one node.
std::vector<NodePlacement> ParseProfile(const std::string& json);

// Reads the profile at `path`.
Status ReadProfile(const std::string& path, std::vector<NodePlacement>& nodes);

// Returns the nodes that ran on the CPU, as `name (Op)`.
std::vector<std::string> CpuNodes(const std::vector<NodePlacement>& nodes);

}  // namespace millrace
