#include "bare_generation.h"

#include <algorithm>
#include <utility>

#include "ort/values.h"

namespace millrace::bench {

std::vector<std::vector<int32_t>> PromptsOf(const Generation& generation, int64_t vocabulary) {
  std::vector<std::vector<int32_t>> prompts(static_cast<size_t>(generation.rows));
  for (size_t row = 0; row < prompts.size(); ++row) {
    for (int64_t i = 0; i < generation.prompt; ++i) {
      const int64_t token = 7919 * (i + 1) + 104729 * static_cast<int64_t>(row);
      prompts[row].push_back(static_cast<int32_t>(token % vocabulary));
    }
  }
  return prompts;
}

Status BareGeneration::Open(const OrtLibrary& library, const DecoderOptions& options, bool spin) {
  api_ = library.api;
  const OrtApi& api = *api_;
  OrtSessionOptions* raw = nullptr;
  MILLRACE_ORT(api, CreateSessionOptions(&raw), Code::kInternal);
  const OrtSessionOptionsPtr session_options(raw, {&api});
  MILLRACE_ORT(api, SetIntraOpNumThreads(raw, options.intra_op_threads), Code::kInternal);
  MILLRACE_ORT(api, SetInterOpNumThreads(raw, 1), Code::kInternal);
  // It would make a plan for each length.
  MILLRACE_ORT(api, DisableMemPattern(raw), Code::kInternal);
  MILLRACE_ORT(api, AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", spin ? "1" : "0"), Code::kInternal);
  MILLRACE_RETURN_IF_ERROR(OpenGraph(library, raw, options.decoder.path, first_));
  MILLRACE_RETURN_IF_ERROR(OpenGraph(library, raw, options.decoder_with_past.path, later_));
  MILLRACE_RETURN_IF_ERROR(OpenGraph(library, raw, options.encoder.path, encoder_));
  later_graph_ = later_.session != nullptr ? &later_ : &first_;

  const bool encoder = encoder_.session != nullptr;
  MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(first_.signature, "decoder", first_names_));
  MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(later_graph_->signature, "decoder", later_names_));
  if (encoder) MILLRACE_RETURN_IF_ERROR(ReadEncoderGraph(encoder_.signature, encoder_names_));
  MILLRACE_RETURN_IF_ERROR(MatchGraphs(first_names_, later_names_, encoder ? &encoder_names_ : nullptr, format_));
  OrtMemoryInfo* cpu = nullptr;
  MILLRACE_ORT(api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu), Code::kInternal);
  cpu_ = OrtMemoryInfoPtr(cpu, {&api});
  for (auto* const binding : {&first_binding_, &later_binding_}) {
    OrtIoBinding* made = nullptr;
    const Graph& graph = binding == &first_binding_ ? first_ : *later_graph_;
    MILLRACE_ORT(api, CreateIoBinding(graph.session.get(), &made), Code::kInternal);
    *binding = OrtIoBindingPtr(made, {&api});
  }
  return {};
}

Status BareGeneration::OpenGraph(const OrtLibrary& library, const OrtSessionOptions* options, const std::string& path,
                                 Graph& graph) {
  if (path.empty()) return {};
  OrtSession* raw = nullptr;
  MILLRACE_ORT(*api_, CreateSession(library.env, path.c_str(), options, &raw), Code::kInvalidArgument);
  graph.session = OrtSessionPtr(raw, {api_});
  return ReadSignature(*api_, raw, graph.signature);
}

Status BareGeneration::Bind(OrtIoBinding* binding, const TensorSpec* spec, const OrtValue* value) {
  if (spec == nullptr) return {};
  return FromOrt(*api_, api_->BindInput(binding, spec->name.c_str(), value), Code::kInternal);
}

Status BareGeneration::MakeEmpty(const CacheFormat& format, int64_t rows, OrtValuePtr& value) {
  return MakeTensor(*api_, cpu_.get(), {format.type, {4, {rows, format.heads, 0, format.size}}, nullptr, 0, nullptr},
                    value);
}

// Runs a graph and takes its outputs over.
Status BareGeneration::RunBound(const Graph& graph, OrtIoBinding* binding,
                                const std::vector<const TensorSpec*>& outputs, std::vector<OrtValuePtr>& values) {
  const OrtApi& api = *api_;
  api.ClearBoundOutputs(binding);
  for (const TensorSpec* output : outputs) {
    MILLRACE_ORT(api, BindOutputToDevice(binding, output->name.c_str(), cpu_.get()), Code::kInternal);
  }
  MILLRACE_ORT(api, RunWithBinding(graph.session.get(), nullptr, binding), Code::kInternal);
  OrtAllocator* allocator = nullptr;
  MILLRACE_ORT(api, GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  OrtValue** raw = nullptr;
  size_t count = 0;
  MILLRACE_ORT(api, GetBoundOutputValues(binding, allocator, &raw, &count), Code::kInternal);
  values.clear();
  for (size_t i = 0; i < count; ++i) values.emplace_back(raw[i], OrtValuePtr::deleter_type{&api});
  MILLRACE_ORT(api, AllocatorFree(allocator, raw), Code::kInternal);
  return {};
}

Status BareGeneration::Encode(const Generation& generation, const std::vector<std::vector<int32_t>>& prompts) {
  const Shape shape{2, {generation.rows, generation.prompt}};
  MILLRACE_RETURN_IF_ERROR(encoder_ids_.Resize(*api_, cpu_.get(), encoder_names_.ids->type, shape));
  MILLRACE_RETURN_IF_ERROR(encoder_mask_.Resize(*api_, cpu_.get(), encoder_names_.mask->type, shape));
  encoder_mask_.SetOnes();
  size_t element = 0;
  for (const auto& prompt : prompts) {
    for (const int32_t token : prompt) encoder_ids_.Set(element++, token);
  }
  OrtIoBinding* raw = nullptr;
  MILLRACE_ORT(*api_, CreateIoBinding(encoder_.session.get(), &raw), Code::kInternal);
  const OrtIoBindingPtr binding(raw, {api_});
  MILLRACE_RETURN_IF_ERROR(Bind(raw, encoder_names_.ids, encoder_ids_.value()));
  MILLRACE_RETURN_IF_ERROR(Bind(raw, encoder_names_.mask, encoder_mask_.value()));
  return RunBound(encoder_, raw, {encoder_names_.hidden}, hidden_);
}

Status BareGeneration::BindTexts(OrtIoBinding* binding, const DecoderGraph& names, bool cached) {
  MILLRACE_RETURN_IF_ERROR(Bind(binding, names.encoder_mask, encoder_mask_.value()));
  MILLRACE_RETURN_IF_ERROR(Bind(binding, names.hidden, hidden_.front().get()));
  for (size_t i = 0; cached && i < cross_.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(Bind(binding, names.cross_past[i], cross_[i].get()));
  }
  return {};
}

Status BareGeneration::BindIndices(OrtIoBinding* binding, const DecoderGraph& names, int64_t rows, int64_t count,
                                   int64_t past) {
  const Shape shape{2, {rows, count}};
  MILLRACE_RETURN_IF_ERROR(Bind(binding, names.ids, ids_.value()));
  if (names.mask != nullptr) {
    MILLRACE_RETURN_IF_ERROR(mask_.Resize(*api_, cpu_.get(), names.mask->type, {2, {rows, past + count}}));
    mask_.SetOnes();
    MILLRACE_RETURN_IF_ERROR(Bind(binding, names.mask, mask_.value()));
  }
  if (names.positions != nullptr) {
    MILLRACE_RETURN_IF_ERROR(positions_.Resize(*api_, cpu_.get(), names.positions->type, shape));
    for (int64_t i = 0; i < rows * count; ++i) positions_.Set(static_cast<size_t>(i), past + i % count);
    MILLRACE_RETURN_IF_ERROR(Bind(binding, names.positions, positions_.value()));
  }
  if (names.branch != nullptr) {
    MILLRACE_RETURN_IF_ERROR(branch_.Resize(*api_, cpu_.get(), ElementType::kBool, {1, {1}}));
    branch_.Set(0, past > 0 ? 1 : 0);
    MILLRACE_RETURN_IF_ERROR(Bind(binding, names.branch, branch_.value()));
  }
  return {};
}

Status BareGeneration::First(const Generation& generation) {
  OrtIoBinding* const binding = first_binding_.get();
  const bool encoder = encoder_.session != nullptr;
  const int64_t count = encoder ? 1 : generation.prompt;
  MILLRACE_RETURN_IF_ERROR(BindIndices(binding, first_names_, generation.rows, count, 0));
  if (encoder) MILLRACE_RETURN_IF_ERROR(BindTexts(binding, first_names_, false));
  OrtValuePtr empty;
  MILLRACE_RETURN_IF_ERROR(MakeEmpty(format_.self, generation.rows, empty));
  for (const TensorSpec* spec : first_names_.past) MILLRACE_RETURN_IF_ERROR(Bind(binding, spec, empty.get()));
  OrtValuePtr no_cross;
  if (encoder) MILLRACE_RETURN_IF_ERROR(MakeEmpty(format_.cross, generation.rows, no_cross));
  for (const TensorSpec* spec : first_names_.cross_past) {
    MILLRACE_RETURN_IF_ERROR(Bind(binding, spec, no_cross.get()));
  }
  std::vector<const TensorSpec*> outputs{first_names_.logits};
  outputs.insert(outputs.end(), first_names_.present.begin(), first_names_.present.end());
  outputs.insert(outputs.end(), first_names_.cross_present.begin(), first_names_.cross_present.end());
  Values values;
  MILLRACE_RETURN_IF_ERROR(RunBound(first_, binding, outputs, values));
  MILLRACE_RETURN_IF_ERROR(Choose(values.front().get(), generation, count));
  const auto self = values.begin() + 1;
  const auto cross = self + static_cast<std::ptrdiff_t>(first_names_.present.size());
  self_.assign(std::make_move_iterator(self), std::make_move_iterator(cross));
  cross_.assign(std::make_move_iterator(cross), std::make_move_iterator(values.end()));
  if (encoder) MILLRACE_RETURN_IF_ERROR(BindTexts(later_binding_.get(), later_names_, true));
  return {};
}

Status BareGeneration::Next(const Generation& generation, int64_t past) {
  OrtIoBinding* const binding = later_binding_.get();
  MILLRACE_RETURN_IF_ERROR(BindIndices(binding, later_names_, generation.rows, 1, past));
  for (size_t i = 0; i < self_.size(); ++i) {
    MILLRACE_RETURN_IF_ERROR(Bind(binding, later_names_.past[i], self_[i].get()));
  }
  std::vector<const TensorSpec*> outputs{later_names_.logits};
  outputs.insert(outputs.end(), later_names_.present.begin(), later_names_.present.end());
  Values values;
  MILLRACE_RETURN_IF_ERROR(RunBound(*later_graph_, binding, outputs, values));
  MILLRACE_RETURN_IF_ERROR(Choose(values.front().get(), generation, 1));
  std::move(values.begin() + 1, values.end(), self_.begin());
  return {};
}

// Finds the best token of each row and makes them the next input.
Status BareGeneration::Choose(const OrtValue* logits, const Generation& generation, int64_t count) {
  void* raw = nullptr;
  MILLRACE_ORT(*api_, GetTensorMutableData(const_cast<OrtValue*>(logits), &raw), Code::kInternal);
  const auto* const data = static_cast<const float*>(raw);
  MILLRACE_RETURN_IF_ERROR(ids_.Resize(*api_, cpu_.get(), later_names_.ids->type, {2, {generation.rows, 1}}));
  best_.clear();
  for (int64_t row = 0; row < generation.rows; ++row) {
    const float* const own = data + (row * count + count - 1) * format_.vocabulary;
    const auto best = static_cast<int32_t>(std::max_element(own, own + format_.vocabulary) - own);
    best_.push_back(best);
    ids_.Set(static_cast<size_t>(row), best);
  }
  return {};
}

Status BareGeneration::Run(const Generation& generation, std::vector<std::vector<int32_t>>& tokens) {
  if (format_.logits != ElementType::kFloat32) return {Code::kUnimplemented, "The bare loop reads float32 logits only"};
  const auto prompts = PromptsOf(generation, format_.vocabulary);
  tokens.assign(prompts.size(), {});
  const bool encoder = encoder_.session != nullptr;
  if (encoder) MILLRACE_RETURN_IF_ERROR(Encode(generation, prompts));
  const int64_t start = encoder ? 1 : generation.prompt;
  MILLRACE_RETURN_IF_ERROR(ids_.Resize(*api_, cpu_.get(), first_names_.ids->type, {2, {generation.rows, start}}));
  for (size_t row = 0; row < prompts.size(); ++row) {
    for (size_t i = 0; i < static_cast<size_t>(start); ++i) {
      ids_.Set(row * static_cast<size_t>(start) + i, encoder ? 0 : prompts[row][i]);
    }
  }
  for (int64_t step = 0; step < generation.tokens; ++step) {
    MILLRACE_RETURN_IF_ERROR(step == 0 ? First(generation) : Next(generation, start + step - 1));
    for (size_t row = 0; row < tokens.size(); ++row) tokens[row].push_back(best_[row]);
  }
  return {};
}

}  // namespace millrace::bench
