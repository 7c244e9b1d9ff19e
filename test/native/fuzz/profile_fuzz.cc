// ONNX Runtime's profile, from which the placement of nodes is read.
#include <string>

#include "ort/placement.h"
#include "support.h"

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string json(reinterpret_cast<const char*>(data), size);
  const auto nodes = ParseProfile(json);
  fuzz::Claim(CpuNodes(nodes).size() <= nodes.size(), "no node is made up");
  return 0;
}
