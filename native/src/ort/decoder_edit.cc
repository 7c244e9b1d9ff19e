#include "ort/decoder_edit.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "ort/onnx_edit.h"
#include "ort/onnx_fields.h"
#include "ort/wire.h"

namespace millrace {
namespace {

constexpr std::string_view kMask = "attention_mask";
constexpr std::string_view kPadding = "millrace.padding";
// A score far below all others, which float16 can hold.
constexpr float kLow = -65504;
// From this version of ONNX on, a constant can have the type of another tensor.
constexpr uint64_t kCastLikeVersion = 15;

// Between keys and the product with queries, between that product and the softmax, and between counted positions and
// the table of their embeddings.
constexpr std::array<std::string_view, 8> kKeyPath = {"Transpose", "Mul",     "Div",      "Cast",
                                                      "Identity",  "Reshape", "Unsqueeze", "Expand"};
constexpr std::array<std::string_view, 7> kScorePath = {"Add", "Mul", "Div", "Cast", "Identity", "Where", "Sub"};
constexpr std::array<std::string_view, 6> kPositionPath = {"Unsqueeze", "Add", "Cast", "Expand", "Identity", "Reshape"};
constexpr std::array<std::string_view, 4> kLogitPath = {"Add", "Mul", "Cast", "Identity"};

bool Contains(const auto& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool IsOwnPastKey(std::string_view name) {
  return name.starts_with("past_key_values.") && name.ends_with(".key") &&
         name.find(".encoder.") == std::string_view::npos;
}

// Edits one graph: that of the model, or a branch.
class Editor {
 public:
  Editor(OnnxGraph& graph, const DecoderEdit& wanted, std::string_view mask, bool cast_like, bool root)
      : graph_(graph), wanted_(wanted), mask_(mask), cast_like_(cast_like), root_(root) {}

  // Edits the graph if it reads the cache, and otherwise its branches.
  DecoderEdit Run() {
    DecoderEdit done;
    const std::vector<size_t> caches = Caches();
    if (caches.empty()) return RunBranches();
    if (wanted_.mask) done.mask = AddMask(caches);
    if (wanted_.positions) done.positions = AddPadding();
    if (wanted_.last_logits && root_) done.last_logits = KeepLastLogits();
    return done;
  }

 private:
  // Returns the nodes that append new keys to cached ones.
  std::vector<size_t> Caches() const {
    std::vector<size_t> caches;
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      if (graph_.nodes()[i].type == "Concat" && IsOwnPastKey(InputOf(i, 0))) caches.push_back(i);
    }
    return caches;
  }

  DecoderEdit RunBranches() {
    DecoderEdit done;
    for (size_t node = 0; node < graph_.nodes().size(); ++node) {
      const std::vector<std::string_view>& branches = graph_.nodes()[node].graphs;
      for (size_t i = 0; i < branches.size(); ++i) {
        OnnxGraph branch(branches[i], graph_.constants());
        if (!branch.ok()) return {};
        const DecoderEdit own = Editor(branch, wanted_, mask_, cast_like_, false).Run();
        done.mask = done.mask || own.mask;
        done.positions = done.positions || own.positions;
        if (own.any()) graph_.SetGraph(node, i, branch.Write());
      }
    }
    return done;
  }

  // Finds the softmax that follows each product of keys and queries, and masks what it reads.
  bool AddMask(const std::vector<size_t>& caches) {
    std::set<size_t> softmaxes;
    for (const size_t cache : caches) {
      const size_t before = softmaxes.size();
      std::set<size_t> seen;
      FollowKeys(cache, seen, softmaxes);
      // A layer without a mask would make the others' useless.
      if (softmaxes.size() == before) return false;
    }
    graph_.AddConstant("millrace.shape", {0, 1, 1, -1});
    graph_.AddConstant("millrace.low", kLow);
    graph_.Insert(0, "Cast", {mask_}, "millrace.seen", {{"to", static_cast<int64_t>(ElementType::kBool)}});
    graph_.Insert(0, "Reshape", {"millrace.seen", "millrace.shape"}, "millrace.mask");
    for (const size_t softmax : softmaxes) {
      const std::string_view scores = InputOf(softmax, 0);
      const std::string number = std::to_string(softmax);
      std::string low = "millrace.low";
      if (cast_like_) {
        low += '.' + number;
        graph_.Insert(softmax, "CastLike", {"millrace.low", scores}, low);
      }
      graph_.Insert(softmax, "Where", {"millrace.mask", scores, low}, "millrace.scores." + number);
      graph_.SetInput(softmax, 0, "millrace.scores." + number);
    }
    return true;
  }

  // Follow the output of a node to those that read it. `seen` keeps this from being done twice.
  void FollowKeys(size_t node, std::set<size_t>& seen, std::set<size_t>& softmaxes) const {
    if (!seen.insert(node).second) return;
    for (const size_t reader : graph_.Consumers(OutputOf(node))) {
      const std::string_view type = graph_.nodes()[reader].type;
      if (type == "MatMul") FollowScores(reader, seen, softmaxes);
      if (Contains(kKeyPath, type)) FollowKeys(reader, seen, softmaxes);
    }
  }
  void FollowScores(size_t node, std::set<size_t>& seen, std::set<size_t>& softmaxes) const {
    if (!seen.insert(node).second) return;
    for (const size_t reader : graph_.Consumers(OutputOf(node))) {
      const std::string_view type = graph_.nodes()[reader].type;
      if (type == "Softmax") softmaxes.insert(reader);
      if (Contains(kScorePath, type)) FollowScores(reader, seen, softmaxes);
    }
  }

  // Finds tables that are looked up at positions that are counted.
  bool AddPadding() {
    bool found = false;
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      std::set<size_t> seen;
      if (graph_.nodes()[i].type != "Gather" || !graph_.constants().contains(InputOf(i, 0))) continue;
      if (!IsCounted(InputOf(i, 1), seen)) continue;
      const std::string own = "millrace.positions." + std::to_string(i);
      graph_.Insert(i, "Sub", {InputOf(i, 1), kPadding}, own);
      graph_.SetInput(i, 1, own);
      found = true;
    }
    return found;
  }

  // Returns whether a tensor is a range of numbers, moved by constants at most.
  bool IsCounted(std::string_view tensor, std::set<size_t>& seen) const {
    const size_t producer = graph_.Producer(tensor);
    if (producer == OnnxGraph::kNone || !seen.insert(producer).second) return false;
    const OnnxNode& node = graph_.nodes()[producer];
    if (node.type == "Range") return true;
    if (!Contains(kPositionPath, node.type)) return false;
    const auto counted = [&](std::string_view input) { return IsCounted(input, seen); };
    return std::any_of(node.inputs.begin(), node.inputs.end(), counted);
  }

  // Takes the last token out before the product with the vocabulary.
  bool KeepLastLogits() {
    std::set<size_t> seen;
    size_t node = graph_.Producer("logits");
    while (node != OnnxGraph::kNone && seen.insert(node).second && Contains(kLogitPath, graph_.nodes()[node].type)) {
      const std::vector<std::string_view>& inputs = graph_.nodes()[node].inputs;
      const auto computed = std::find_if(inputs.begin(), inputs.end(),
                                         [this](std::string_view input) { return !IsConstant(input); });
      node = computed == inputs.end() ? OnnxGraph::kNone : graph_.Producer(*computed);
    }
    if (node == OnnxGraph::kNone || graph_.nodes()[node].type != "MatMul") return false;
    // Of two tensors that are computed, nobody knows which one has tokens.
    const std::string_view hidden = InputOf(node, 0);
    if (IsConstant(hidden) || !IsConstant(InputOf(node, 1))) return false;
    graph_.AddConstant("millrace.last", {-1});
    graph_.AddConstant("millrace.end", {INT64_MAX});
    graph_.AddConstant("millrace.axis", {1});
    graph_.Insert(node, "Slice", {hidden, "millrace.last", "millrace.end", "millrace.axis"}, "millrace.hidden");
    graph_.SetInput(node, 0, "millrace.hidden");
    return true;
  }

  // Returns whether a tensor is a constant, also one that is turned.
  bool IsConstant(std::string_view tensor) const {
    if (graph_.constants().contains(tensor)) return true;
    const size_t producer = graph_.Producer(tensor);
    return producer != OnnxGraph::kNone && graph_.nodes()[producer].type == "Transpose" &&
           graph_.constants().contains(InputOf(producer, 0));
  }

  // Return "", which no tensor is called, if there is none.
  std::string_view InputOf(size_t node, size_t input) const {
    const std::vector<std::string_view>& inputs = graph_.nodes()[node].inputs;
    return input < inputs.size() ? inputs[input] : std::string_view();
  }
  std::string_view OutputOf(size_t node) const {
    const std::vector<std::string_view>& outputs = graph_.nodes()[node].outputs;
    return outputs.empty() ? std::string_view() : outputs.front();
  }

  OnnxGraph& graph_;
  const DecoderEdit& wanted_;
  const std::string_view mask_;
  const bool cast_like_;
  const bool root_;
};

// Returns the version of ONNX's own operators that a file uses.
uint64_t OperatorVersion(std::string_view opset) {
  uint64_t version = 0;
  bool own = true;
  WireReader reader(opset);
  for (WireField field; reader.Next(field);) {
    if (field.number == opset_field::kDomain) own = field.bytes.empty() || field.bytes == "ai.onnx";
    if (field.number == opset_field::kVersion) version = field.value;
  }
  return own ? version : 0;
}

}  // namespace

std::string EditDecoder(std::string_view model, const DecoderEdit& wanted, DecoderEdit& done) {
  done = {};
  std::string_view graph_bytes;
  uint64_t version = 0;
  WireReader reader(model);
  for (WireField field; reader.Next(field);) {
    if (field.number == model_field::kGraph) graph_bytes = field.bytes;
    if (field.number == model_field::kOpset) version = std::max(version, OperatorVersion(field.bytes));
  }
  OnnxGraph graph(graph_bytes);
  if (!reader.ok() || !graph.ok()) return {};
  const std::set<std::string_view>& inputs = graph.inputs();
  DecoderEdit possible = wanted;
  std::string_view mask = kMask;
  for (const std::string_view name : {kMask, std::string_view("decoder_attention_mask")}) {
    if (!inputs.contains(name)) continue;
    mask = name;
    possible.mask = false;
  }
  if (inputs.contains("position_ids")) possible.positions = false;
  // With one of the first two, the graph is asked for what the edit would do. Where there is an encoder, the decoder
  // has no prompt.
  for (const char* name : {"num_logits_to_keep", "logits_to_keep", "encoder_attention_mask"}) {
    if (inputs.contains(name)) possible.last_logits = false;
  }
  done = Editor(graph, possible, mask, version >= kCastLikeVersion, true).Run();
  if (!done.any()) return {};
  if (done.mask) graph.AddInput(kMask, {"rows", "tokens"});
  if (done.positions) graph.AddInput(kPadding, {"rows", "1"});

  const std::string edited_graph = graph.Write();
  std::string edited;
  edited.reserve(model.size() - graph_bytes.size() + edited_graph.size() + 16);
  WireReader fields(model);
  for (WireField field; fields.Next(field);) {
    if (field.number == model_field::kGraph) {
      PutBytes(edited, model_field::kGraph, edited_graph);
    } else {
      edited += field.whole;
    }
  }
  return edited;
}

}  // namespace millrace
