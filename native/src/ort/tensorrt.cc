#include "ort/missing_library.h"
#include "ort/provider.h"

namespace millrace {
namespace {

using Kind = OptionRow::Kind;

using TensorRtOptionsPtr = std::unique_ptr<
    OrtTensorRTProviderOptionsV2,
    OrtDeleter<OrtTensorRTProviderOptionsV2, &OrtApi::ReleaseTensorRTProviderOptions>>;

std::vector<OptionRow> TensorRtRows() {
  return {
      {"fp16", "trt_fp16_enable", Kind::kFlag},
      {"bf16", "trt_bf16_enable", Kind::kFlag},
      {"int8", "trt_int8_enable", Kind::kFlag},
      {"int8CalibrationTable", "trt_int8_calibration_table_name", Kind::kText},
      {"workspaceBytes", "trt_max_workspace_size", Kind::kNumber, 1},
      {"builderLevel", "trt_builder_optimization_level", Kind::kNumber, 0, 5},
      {"auxiliaryStreams", "trt_auxiliary_streams", Kind::kNumber, 0, 64},
      {"minSubgraphSize", "trt_min_subgraph_size", Kind::kNumber, 1, 1 << 20},
      {"layerNormFp32", "trt_layer_norm_fp32_fallback", Kind::kFlag},
      {"sparsity", "trt_sparsity_enable", Kind::kFlag},
      {"contextMemorySharing", "trt_context_memory_sharing_enable", Kind::kFlag},
      {"excludeOps", "trt_op_types_to_exclude", Kind::kText},
      {"forceTimingCache", "trt_force_timing_cache", Kind::kFlag},
      {"hardwareCompatible", "trt_engine_hw_compatible", Kind::kFlag},
      {"dumpEpContext", "trt_dump_ep_context_model", Kind::kFlag},
      {"epContextFile", "trt_ep_context_file_path", Kind::kText},
  };
}

bool IsTensorRtKey(std::string_view key) { return key.starts_with("trt_"); }

KeyValues Collect(const ProviderRequest& request) {
  KeyValues all{{"device_id", std::to_string(request.device.index)}};
  if (!request.profile.min.empty()) {
    all.emplace_back("trt_profile_min_shapes", request.profile.min);
    all.emplace_back("trt_profile_opt_shapes", request.profile.opt);
    all.emplace_back("trt_profile_max_shapes", request.profile.max);
  }
  if (!request.tensorrt_engine_folder.empty()) {
    all.emplace_back("trt_engine_cache_enable", "1");
    all.emplace_back("trt_engine_cache_path", request.tensorrt_engine_folder);
  }
  if (!request.timing_folder.empty()) {
    all.emplace_back("trt_timing_cache_enable", "1");
    all.emplace_back("trt_timing_cache_path", request.timing_folder);
  }
  if (request.graphs) all.emplace_back("trt_cuda_graph_enable", "1");
  for (const KeyValues* options : {&request.options, &request.raw}) {
    for (const auto& option : *options) {
      if (IsTensorRtKey(option.first)) all.push_back(option);
    }
  }
  return all;
}

class TensorRt final : public Provider {
 public:
  const char* memory() const noexcept override { return "Cuda"; }

  std::vector<OptionRow> options() const override {
    std::vector<OptionRow> rows = TensorRtRows();
    for (const OptionRow& row : CudaRows()) rows.push_back(row);
    for (const OptionRow& row : BehaviourRows()) rows.push_back(row);
    return rows;
  }

  bool builds_tensorrt_engines() const noexcept override { return true; }

  Status CheckFiles(const OrtLibrary& library) const override {
    return CheckProviderFile(library.path, library.version, "tensorrt",
                             "libonnxruntime_providers_tensorrt.so");
  }

  Status Append(const ProviderRequest& request, OrtSessionOptions* session) const override {
    const Status status = AppendSelf(request, session);
    if (!status.ok()) return ExplainLoadError("tensorrt", status.message());
    // The CUDA provider runs the nodes that TensorRT cannot run: ONNX Runtime offers nodes to the providers in the
    // order in which they were added.
    KeyValues overrides;
    for (const auto& option : request.raw) {
      if (!IsTensorRtKey(option.first)) overrides.push_back(option);
    }
    return AppendCuda(request, overrides, session);
  }

 private:
  static Status AppendSelf(const ProviderRequest& request, OrtSessionOptions* session) {
    const OrtApi& api = *request.library.api;
    OrtTensorRTProviderOptionsV2* raw = nullptr;
    MILLRACE_ORT(api, CreateTensorRTProviderOptions(&raw), Code::kFailedPrecondition);
    const TensorRtOptionsPtr options(raw, {&api});
    const KeyValues all = Collect(request);
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& [key, value] : all) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
    MILLRACE_ORT(api, UpdateTensorRTProviderOptions(raw, keys.data(), values.data(), keys.size()),
                 Code::kFailedPrecondition);
    if (request.stream != nullptr) {
      MILLRACE_ORT(api,
                   UpdateTensorRTProviderOptionsWithValue(raw, "user_compute_stream", request.stream),
                   Code::kFailedPrecondition);
    }
    return FromOrt(api, api.SessionOptionsAppendExecutionProvider_TensorRT_V2(session, raw),
                   Code::kFailedPrecondition);
  }
};

}  // namespace

const Provider& TensorRtProvider() {
  static const TensorRt tensor_rt;
  return tensor_rt;
}

}  // namespace millrace
