#include "ort/provider.h"

namespace millrace {
namespace {

class Cpu final : public Provider {
 public:
  const char* memory() const noexcept override { return nullptr; }
  std::vector<OptionRow> options() const override { return {}; }
  Status CheckFiles(const OrtLibrary&) const override { return {}; }
  // There is nothing to add, since every session has the CPU's provider.
  Status Append(const ProviderRequest& request, OrtSessionOptions*) const override {
    if (request.raw.empty()) return {};
    return {Code::kInvalidArgument, "Device 'cpu' takes no provider options: leave out '" +
                                        request.raw.front().first + "' or choose a GPU"};
  }
};

}  // namespace

const Provider& CpuProvider() {
  static const Cpu cpu;
  return cpu;
}

}  // namespace millrace
