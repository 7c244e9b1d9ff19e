#include "ort/missing_library.h"
#include "ort/provider.h"

namespace millrace {
namespace {

using Kind = OptionRow::Kind;

constexpr OptionRow::Choice kArenaStrategies[] = {{"nextPowerOfTwo", "kNextPowerOfTwo"},
                                                  {"sameAsRequested", "kSameAsRequested"}};
constexpr OptionRow::Choice kConvSearches[] = {
    {"heuristic", "HEURISTIC"}, {"exhaustive", "EXHAUSTIVE"}, {"default", "DEFAULT"}};

// An exhaustive search, which tries every algorithm for each new shape, stalls a server for a second at a time.
constexpr const char* kDefaultConvSearch = "HEURISTIC";

using CudaOptionsPtr = std::unique_ptr<
    OrtCUDAProviderOptionsV2,
    OrtDeleter<OrtCUDAProviderOptionsV2, &OrtApi::ReleaseCUDAProviderOptions>>;

bool IsCudaKey(std::string_view key) {
  for (const OptionRow& row : CudaRows()) {
    if (row.key == key) return true;
  }
  return false;
}

class Cuda final : public Provider {
 public:
  const char* memory() const noexcept override { return "Cuda"; }

  std::vector<OptionRow> options() const override {
    std::vector<OptionRow> rows = CudaRows();
    for (const OptionRow& row : BehaviourRows()) rows.push_back(row);
    return rows;
  }

  bool graphs_by_default() const noexcept override { return true; }

  Status CheckFiles(const OrtLibrary& library) const override {
    return CheckProviderFile(library.path, library.version, "cuda",
                             "libonnxruntime_providers_cuda.so");
  }

  Status Append(const ProviderRequest& request, OrtSessionOptions* session) const override {
    KeyValues overrides = request.raw;
    if (request.graphs) overrides.emplace_back("enable_cuda_graph", "1");
    return AppendCuda(request, overrides, session);
  }
};

}  // namespace

std::vector<OptionRow> CudaRows() {
  return {
      {"memoryLimitBytes", "gpu_mem_limit", Kind::kNumber, 1},
      {"arenaStrategy", "arena_extend_strategy", Kind::kChoice, 0, 0, kArenaStrategies},
      {"convSearch", "cudnn_conv_algo_search", Kind::kChoice, 0, 0, kConvSearches},
      {"convMaxWorkspace", "cudnn_conv_use_max_workspace", Kind::kFlag},
      {"conv1dPadToNc1d", "cudnn_conv1d_pad_to_nc1d", Kind::kFlag},
      {"fuseConvBias", "fuse_conv_bias", Kind::kFlag},
      {"tf32", "use_tf32", Kind::kFlag},
      {"nhwc", "prefer_nhwc", Kind::kFlag},
      {"strictSkipLayerNorm", "enable_skip_layer_norm_strict_mode", Kind::kFlag},
  };
}

Status AppendCuda(const ProviderRequest& request, const KeyValues& overrides,
                  OrtSessionOptions* session) {
  const OrtApi& api = *request.library.api;
  OrtCUDAProviderOptionsV2* raw = nullptr;
  MILLRACE_ORT(api, CreateCUDAProviderOptions(&raw), Code::kFailedPrecondition);
  const CudaOptionsPtr options(raw, {&api});

  // All options are set in one update, because each update resets the options that it does not name. If a key occurs
  // twice, its later value wins.
  KeyValues all{{"device_id", std::to_string(request.device.index)},
                {"cudnn_conv_algo_search", kDefaultConvSearch}};
  for (const auto& option : request.options) {
    if (IsCudaKey(option.first)) all.push_back(option);
  }
  all.insert(all.end(), overrides.begin(), overrides.end());
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : all) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  Status status = FromOrt(api, api.UpdateCUDAProviderOptions(raw, keys.data(), values.data(), keys.size()),
                          Code::kFailedPrecondition);
  if (status.ok() && request.stream != nullptr) {
    status = FromOrt(api,
                     api.UpdateCUDAProviderOptionsWithValue(raw, "user_compute_stream", request.stream),
                     Code::kFailedPrecondition);
  }
  if (status.ok()) {
    status = FromOrt(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(session, raw),
                     Code::kFailedPrecondition);
  }
  return status.ok() ? status : ExplainLoadError("cuda", status.message());
}

const Provider& CudaProvider() {
  static const Cuda cuda;
  return cuda;
}

}  // namespace millrace
