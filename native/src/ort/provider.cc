#include "ort/provider.h"

#include <cstdlib>

namespace millrace {

const Provider& ProviderFor(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kCuda:
      return CudaProvider();
    case DeviceKind::kTensorRt:
      return TensorRtProvider();
    case DeviceKind::kCpu:
    case DeviceKind::kAuto:
      break;
  }
  return CpuProvider();
}

std::vector<OptionRow> BehaviourRows() {
  using Kind = OptionRow::Kind;
  return {
      {"graphs", "", Kind::kFlag},
      {"ownStream", "", Kind::kFlag},
      {"slots", "", Kind::kNumber, 1, 8},
      {"placement", "", Kind::kFlag},
      {"forbidCpuNodes", "", Kind::kFlag},
  };
}

DeviceBehaviour ReadBehaviour(const Provider& provider, const KeyValues& options) {
  DeviceBehaviour behaviour;
  behaviour.graphs = provider.graphs_by_default();
  const auto flag = [&options](const char* name, bool& value) {
    if (const std::string* text = FindValue(options, name)) value = *text == "1";
  };
  flag("graphs", behaviour.graphs);
  flag("ownStream", behaviour.own_stream);
  flag("placement", behaviour.placement);
  flag("forbidCpuNodes", behaviour.forbid_cpu_nodes);
  if (const std::string* text = FindValue(options, "slots")) behaviour.slots = std::atoi(text->c_str());
  return behaviour;
}

}  // namespace millrace
