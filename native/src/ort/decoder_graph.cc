#include "ort/decoder_graph.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {
namespace {

constexpr const char* kExport =
    ": export the model with `optimum-cli export onnx` for a task that ends in `-with-past`";

// The place of a tensor of keys or values, which its name says: `past_key_values.3.encoder.value`.
struct CacheName {
  bool cross = false;
  size_t index = 0;
};

std::optional<CacheName> ParseCacheName(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  size_t layer = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  // No model has as many layers, and the number of tensors must not overflow.
  constexpr size_t kMostLayers = 10'000;
  if (error != std::errc() || layer >= kMostLayers) return std::nullopt;
  name.remove_prefix(static_cast<size_t>(stop - name.data()));
  const bool cross = name.starts_with(".encoder");
  if (cross || name.starts_with(".decoder")) name.remove_prefix(8);
  if (name == ".key") return CacheName{cross, 2 * layer};
  if (name == ".value") return CacheName{cross, 2 * layer + 1};
  return std::nullopt;
}

std::string CacheTensorName(std::string_view prefix, bool cross, bool encoder_decoder, size_t index) {
  return std::string(prefix) + std::to_string(index / 2) +
         (cross ? ".encoder" : encoder_decoder ? ".decoder" : "") + (index % 2 == 0 ? ".key" : ".value");
}

void Put(std::vector<const TensorSpec*>& list, size_t index, const TensorSpec& spec) {
  if (list.size() <= index) list.resize(index + 1);
  list[index] = &spec;
}

// Checks that each layer has a key and a value.
Status CheckComplete(const std::vector<const TensorSpec*>& list, const char* file, const char* what,
                     std::string_view prefix, bool cross, bool encoder_decoder) {
  for (size_t i = 0; i < list.size() + list.size() % 2; ++i) {
    if (i < list.size() && list[i] != nullptr) continue;
    return {Code::kInvalidArgument, "The " + std::string(file) + " has no " + what + " '" +
                                        CacheTensorName(prefix, cross, encoder_decoder, i) + "'" + kExport};
  }
  return {};
}

bool IsIndex(ElementType type) { return type == ElementType::kInt64 || type == ElementType::kInt32; }
bool IsBool(ElementType type) { return type == ElementType::kBool; }
bool IsReal(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat16 || type == ElementType::kBfloat16;
}

Status CheckSpec(const TensorSpec* spec, const char* file, const char* what, bool (*type)(ElementType),
                 const char* types, size_t least_rank, size_t most_rank) {
  if (spec == nullptr) return {};
  const size_t rank = spec->dims.size();
  if (type(spec->type) && rank >= least_rank && rank <= most_rank) return {};
  return {Code::kInvalidArgument, std::string(what) + " '" + spec->name + "' of the " + file + " is " +
                                      ElementName(spec->type) + " " + DescribeShape(spec->dims) + "; expected " +
                                      types + " with " + std::to_string(most_rank) + " dimensions"};
}

Status Missing(const char* file, const char* what) {
  return {Code::kInvalidArgument, "The " + std::string(file) + " has no " + what + kExport};
}

Status CheckTypes(const DecoderGraph& graph, const char* file) {
  constexpr const char* kIntegers = "int64 or int32";
  constexpr const char* kFloats = "float32, float16 or bfloat16";
  for (const TensorSpec* spec : {graph.ids, graph.mask, graph.positions, graph.padding, graph.encoder_mask}) {
    MILLRACE_RETURN_IF_ERROR(CheckSpec(spec, file, "Input", IsIndex, kIntegers, 2, 2));
  }
  for (const TensorSpec* spec : {graph.cache_position, graph.logits_kept}) {
    MILLRACE_RETURN_IF_ERROR(CheckSpec(spec, file, "Input", IsIndex, kIntegers, 0, 1));
  }
  MILLRACE_RETURN_IF_ERROR(CheckSpec(graph.branch, file, "Input", IsBool, "bool", 1, 1));
  MILLRACE_RETURN_IF_ERROR(CheckSpec(graph.hidden, file, "Input", IsReal, kFloats, 3, 3));
  MILLRACE_RETURN_IF_ERROR(CheckSpec(graph.logits, file, "Output", IsReal, kFloats, 3, 3));
  for (const auto* list : {&graph.past, &graph.cross_past}) {
    for (const TensorSpec* spec : *list) {
      MILLRACE_RETURN_IF_ERROR(CheckSpec(spec, file, "Input", IsReal, kFloats, 4, 4));
    }
  }
  for (const auto* list : {&graph.present, &graph.cross_present}) {
    for (const TensorSpec* spec : *list) {
      MILLRACE_RETURN_IF_ERROR(CheckSpec(spec, file, "Output", IsReal, kFloats, 4, 4));
    }
  }
  return {};
}

// Reads the format of tensors [rows, heads, tokens, size], which must be the same for all layers.
Status ReadFormat(const std::vector<const TensorSpec*>& list, CacheFormat& format) {
  format = {};
  for (const TensorSpec* spec : list) {
    const CacheFormat own{spec->type, list.size(), spec->dims[1], spec->dims[3]};
    if (own.heads <= 0 || own.size <= 0) {
      return {Code::kInvalidArgument, "'" + spec->name + "' has shape " + DescribeShape(spec->dims) +
                                          ", which must say the number of heads and their size"};
    }
    if (spec == list.front()) format = own;
    if (!(own == format)) {
      return {Code::kUnimplemented, "'" + spec->name + "' has another type or shape than '" + list.front()->name +
                                        "': the keys and values of all layers must be alike"};
    }
  }
  return {};
}

Status CheckSameFormat(const std::vector<const TensorSpec*>& list, const CacheFormat& format) {
  if (list.empty()) return {};
  CacheFormat own;
  MILLRACE_RETURN_IF_ERROR(ReadFormat(list, own));
  if (own == format) return {};
  return {Code::kInvalidArgument, "'" + list.front()->name + "' and its layers do not fit the decoder's first run: "
                                      "name files of the same export"};
}

Status CheckEncoder(const DecoderGraph& first, const DecoderGraph& later, const EncoderGraph* encoder) {
  const bool wants = first.hidden != nullptr || first.encoder_mask != nullptr || !first.cross_present.empty();
  if (encoder == nullptr && wants) {
    return {Code::kInvalidArgument, "The decoder reads 'encoder_hidden_states', but no encoder is named: name "
                                    "encoder_model.onnx, too"};
  }
  if (encoder == nullptr) return {};
  if (first.hidden == nullptr) {
    return {Code::kInvalidArgument, "An encoder is named, but the decoder has no input 'encoder_hidden_states': leave "
                                    "the encoder out, or name decoder_model_merged.onnx or decoder_model.onnx"};
  }
  if (first.cross_present.empty()) return Missing("decoder", "output 'present.0.encoder.key'");
  if (later.cross_past.size() != first.cross_present.size()) {
    return Missing("decoder with a cache", "input 'past_key_values.0.encoder.key' for each layer");
  }
  return {};
}

}  // namespace

int64_t CacheFormat::BytesPerToken() const noexcept {
  return static_cast<int64_t>(tensors * ElementSize(type)) * heads * size;
}

Status ReadDecoderGraph(const Signature& signature, const char* file, DecoderGraph& graph) {
  graph = {};
  const struct {
    std::string_view name;
    const TensorSpec* DecoderGraph::* member;
  } inputs[] = {
      {"input_ids", &DecoderGraph::ids},
      {"decoder_input_ids", &DecoderGraph::ids},
      {"attention_mask", &DecoderGraph::mask},
      {"decoder_attention_mask", &DecoderGraph::mask},
      {"position_ids", &DecoderGraph::positions},
      {"cache_position", &DecoderGraph::cache_position},
      {"millrace.padding", &DecoderGraph::padding},
      {"num_logits_to_keep", &DecoderGraph::logits_kept},
      {"logits_to_keep", &DecoderGraph::logits_kept},
      {"use_cache_branch", &DecoderGraph::branch},
      {"encoder_hidden_states", &DecoderGraph::hidden},
      {"encoder_attention_mask", &DecoderGraph::encoder_mask},
  };
  constexpr std::string_view kPast = "past_key_values.";
  constexpr std::string_view kPresent = "present.";
  bool encoder_decoder = false;
  for (const TensorSpec& spec : signature.inputs) {
    bool known = false;
    for (const auto& input : inputs) {
      if (spec.name != input.name) continue;
      graph.*input.member = &spec;
      known = true;
    }
    if (const auto place = ParseCacheName(spec.name, kPast)) {
      Put(place->cross ? graph.cross_past : graph.past, place->index, spec);
      known = true;
      encoder_decoder = encoder_decoder || place->cross;
    }
    if (!known) {
      return {Code::kInvalidArgument, "Input '" + spec.name + "' of the " + file +
                                          " is unknown: it is none of the inputs that optimum and transformers.js use"};
    }
  }
  for (const TensorSpec& spec : signature.outputs) {
    if (spec.name == "logits") graph.logits = &spec;
    if (const auto place = ParseCacheName(spec.name, kPresent)) {
      Put(place->cross ? graph.cross_present : graph.present, place->index, spec);
      encoder_decoder = encoder_decoder || place->cross;
    }
  }
  if (graph.ids == nullptr) return Missing(file, "input 'input_ids'");
  if (graph.logits == nullptr) return Missing(file, "output 'logits'");
  MILLRACE_RETURN_IF_ERROR(CheckComplete(graph.past, file, "input", kPast, false, encoder_decoder));
  MILLRACE_RETURN_IF_ERROR(CheckComplete(graph.cross_past, file, "input", kPast, true, encoder_decoder));
  MILLRACE_RETURN_IF_ERROR(CheckComplete(graph.present, file, "output", kPresent, false, encoder_decoder));
  MILLRACE_RETURN_IF_ERROR(CheckComplete(graph.cross_present, file, "output", kPresent, true, encoder_decoder));
  return CheckTypes(graph, file);
}

Status ReadEncoderGraph(const Signature& signature, EncoderGraph& graph) {
  graph = {};
  for (const TensorSpec& spec : signature.inputs) {
    if (spec.name == "input_ids") {
      graph.ids = &spec;
    } else if (spec.name == "attention_mask") {
      graph.mask = &spec;
    } else {
      return {Code::kInvalidArgument, "Input '" + spec.name + "' of the encoder is unknown: expected 'input_ids' and "
                                      "'attention_mask'"};
    }
  }
  for (const TensorSpec& spec : signature.outputs) {
    if (spec.name == "last_hidden_state" || signature.outputs.size() == 1) graph.hidden = &spec;
  }
  if (graph.ids == nullptr) return Missing("encoder", "input 'input_ids'");
  if (graph.hidden == nullptr) return Missing("encoder", "output 'last_hidden_state'");
  for (const TensorSpec* spec : {graph.ids, graph.mask}) {
    MILLRACE_RETURN_IF_ERROR(CheckSpec(spec, "encoder", "Input", IsIndex, "int64 or int32", 2, 2));
  }
  return CheckSpec(graph.hidden, "encoder", "Output", IsReal, "float32, float16 or bfloat16", 3, 3);
}

Status MatchGraphs(const DecoderGraph& first, const DecoderGraph& later, const EncoderGraph* encoder,
                   DecoderFormat& format) {
  format = {};
  MILLRACE_RETURN_IF_ERROR(CheckEncoder(first, later, encoder));
  const bool encoder_decoder = encoder != nullptr;
  if (later.past.empty()) {
    return Missing("decoder", encoder_decoder ? "input 'past_key_values.0.decoder.key'"
                                              : "input 'past_key_values.0.key'");
  }
  if (first.present.empty()) {
    return Missing("decoder", encoder_decoder ? "output 'present.0.decoder.key'" : "output 'present.0.key'");
  }
  // Without a branch, a graph that takes cross keys and values cannot make them.
  if (encoder_decoder && !first.cross_past.empty() && first.branch == nullptr) {
    return {Code::kInvalidArgument, "The decoder has no input 'use_cache_branch', so that it needs a cache in its "
                                    "first run: name decoder_model_merged.onnx, or decoder_model.onnx and "
                                    "decoder_with_past_model.onnx"};
  }
  MILLRACE_RETURN_IF_ERROR(ReadFormat(later.past, format.self));
  for (const auto* list : {&first.present, &later.present, &first.past}) {
    MILLRACE_RETURN_IF_ERROR(CheckSameFormat(*list, format.self));
  }
  if (later.present.empty()) return Missing("decoder with a cache", "output 'present.0.key'");
  format.logits = first.logits->type;
  format.vocabulary = first.logits->dims[2];
  if (format.vocabulary <= 0) {
    return {Code::kInvalidArgument, "Output 'logits' has shape " + DescribeShape(first.logits->dims) +
                                        ", which must say the size of the vocabulary"};
  }
  if (later.logits->type != format.logits || later.logits->dims[2] != format.vocabulary) {
    return {Code::kInvalidArgument, "Output 'logits' differs between the decoder and the decoder with a cache: name "
                                    "files of the same export"};
  }
  if (!encoder_decoder) return {};
  MILLRACE_RETURN_IF_ERROR(ReadFormat(later.cross_past, format.cross));
  MILLRACE_RETURN_IF_ERROR(CheckSameFormat(first.cross_present, format.cross));
  const int64_t hidden = encoder->hidden->dims[2];
  const int64_t wanted = first.hidden->dims[2];
  if (encoder->hidden->type != first.hidden->type || (hidden > 0 && wanted > 0 && hidden != wanted)) {
    return {Code::kInvalidArgument, "The encoder's output is " + std::string(ElementName(encoder->hidden->type)) + " " +
                                        DescribeShape(encoder->hidden->dims) + ", but the decoder reads " +
                                        ElementName(first.hidden->type) + " " + DescribeShape(first.hidden->dims)};
  }
  format.hidden = {first.hidden->type, 1, 1, hidden > 0 ? hidden : wanted};
  if (format.hidden.size <= 0) {
    return {Code::kInvalidArgument, "Input 'encoder_hidden_states' has shape " + DescribeShape(first.hidden->dims) +
                                        ", which must say its last dimension"};
  }
  return {};
}

}  // namespace millrace
