#include "ort/onnx_edit.h"

#include <cstring>

#include "ort/onnx_fields.h"
#include "ort/wire.h"

namespace millrace {
namespace {

// The value of AttributeProto.type for a whole number.
constexpr uint64_t kIntAttribute = 2;

std::string_view NameIn(std::string_view message, uint32_t number) {
  WireReader reader(message);
  for (WireField field; reader.Next(field);) {
    if (field.number == number && field.type == WireType::kBytes) return field.bytes;
  }
  return {};
}

}  // namespace

OnnxGraph::OnnxGraph(std::string_view graph, std::set<std::string_view> outer)
    : graph_(graph), constants_(std::move(outer)) {
  WireReader reader(graph);
  for (WireField field; reader.Next(field);) {
    if (field.number == graph_field::kNode) ReadNode(field.bytes);
    if (field.number == graph_field::kInitializer) constants_.insert(NameIn(field.bytes, tensor_field::kName));
    if (field.number == graph_field::kInput) inputs_.insert(NameIn(field.bytes, value_field::kName));
    if (field.number == graph_field::kOutput) outputs_.insert(NameIn(field.bytes, value_field::kName));
  }
  ok_ = ok_ && reader.ok();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (const std::string_view output : nodes_[i].outputs) producers_[output] = i;
    for (const std::string_view input : nodes_[i].inputs) {
      // An input that is left out has no name.
      if (!input.empty()) consumers_[input].push_back(i);
    }
    if (nodes_[i].type == "Constant") constants_.insert(nodes_[i].outputs.begin(), nodes_[i].outputs.end());
  }
}

void OnnxGraph::ReadNode(std::string_view message) {
  OnnxNode& node = nodes_.emplace_back();
  WireReader reader(message);
  for (WireField field; reader.Next(field);) {
    if (field.number == node_field::kInput) node.inputs.push_back(field.bytes);
    if (field.number == node_field::kOutput) node.outputs.push_back(field.bytes);
    if (field.number == node_field::kOpType) node.type = field.bytes;
    if (field.number == node_field::kAttribute) ReadAttribute(field.bytes, node);
  }
  ok_ = ok_ && reader.ok();
}

void OnnxGraph::ReadAttribute(std::string_view message, OnnxNode& node) {
  WireReader reader(message);
  for (WireField field; reader.Next(field);) {
    if (field.number == attribute_field::kGraph) node.graphs.push_back(field.bytes);
  }
  ok_ = ok_ && reader.ok();
}

size_t OnnxGraph::Producer(std::string_view tensor) const noexcept {
  const auto found = producers_.find(tensor);
  return found == producers_.end() ? kNone : found->second;
}

std::span<const size_t> OnnxGraph::Consumers(std::string_view tensor) const noexcept {
  const auto found = consumers_.find(tensor);
  return found == consumers_.end() ? std::span<const size_t>() : std::span<const size_t>(found->second);
}

void OnnxGraph::SetInput(size_t node, size_t input, std::string tensor) {
  changed_ = true;
  changes_[node].inputs[input] = std::move(tensor);
}

void OnnxGraph::SetGraph(size_t node, size_t graph, std::string bytes) {
  changed_ = true;
  changes_[node].graphs[graph] = std::move(bytes);
}

void OnnxGraph::Insert(size_t before, std::string_view type, std::initializer_list<std::string_view> inputs,
                       std::string_view output,
                       std::initializer_list<std::pair<std::string_view, int64_t>> integers) {
  std::string node;
  for (const std::string_view input : inputs) PutBytes(node, node_field::kInput, input);
  PutBytes(node, node_field::kOutput, output);
  PutBytes(node, node_field::kOpType, type);
  for (const auto& [name, value] : integers) {
    std::string attribute;
    PutBytes(attribute, attribute_field::kName, name);
    PutVarint(attribute, attribute_field::kInt, static_cast<uint64_t>(value));
    PutVarint(attribute, attribute_field::kType, kIntAttribute);
    PutBytes(node, node_field::kAttribute, attribute);
  }
  changed_ = true;
  PutBytes(changes_[before].before, graph_field::kNode, node);
}

void OnnxGraph::AddTensor(std::string_view name, ElementType type, std::initializer_list<int64_t> shape,
                          std::string_view raw) {
  std::string tensor;
  for (const int64_t dimension : shape) PutVarint(tensor, tensor_field::kDimension, static_cast<uint64_t>(dimension));
  PutVarint(tensor, tensor_field::kElement, static_cast<uint64_t>(type));
  PutBytes(tensor, tensor_field::kName, name);
  PutBytes(tensor, tensor_field::kRaw, raw);
  changed_ = true;
  PutBytes(added_, graph_field::kInitializer, tensor);
}

void OnnxGraph::AddConstant(std::string_view name, std::initializer_list<int64_t> values) {
  const std::string_view raw(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(int64_t));
  AddTensor(name, ElementType::kInt64, {static_cast<int64_t>(values.size())}, raw);
}

void OnnxGraph::AddConstant(std::string_view name, float value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  AddTensor(name, ElementType::kFloat32, {}, {raw, sizeof raw});
}

void OnnxGraph::AddInput(std::string_view name, std::initializer_list<std::string_view> dimensions) {
  std::string shape;
  for (const std::string_view dimension : dimensions) {
    std::string part;
    if (dimension.find_first_not_of("0123456789") == std::string_view::npos) {
      PutVarint(part, dimension_field::kValue, std::stoull(std::string(dimension)));
    } else {
      PutBytes(part, dimension_field::kSymbol, dimension);
    }
    PutBytes(shape, shape_field::kDimension, part);
  }
  std::string tensor;
  PutVarint(tensor, tensor_type_field::kElement, static_cast<uint64_t>(ElementType::kInt64));
  PutBytes(tensor, tensor_type_field::kShape, shape);
  std::string type;
  PutBytes(type, type_field::kTensor, tensor);
  std::string value;
  PutBytes(value, value_field::kName, name);
  PutBytes(value, value_field::kType, type);
  changed_ = true;
  PutBytes(added_, graph_field::kInput, value);
}

std::string OnnxGraph::WriteNode(std::string_view message, const Change& change) {
  std::string node;
  size_t input = 0;
  size_t graph = 0;
  WireReader reader(message);
  for (WireField field; reader.Next(field);) {
    if (field.number == node_field::kInput) {
      const auto found = change.inputs.find(input++);
      PutBytes(node, node_field::kInput, found == change.inputs.end() ? field.bytes : std::string_view(found->second));
    } else if (field.number == node_field::kAttribute) {
      std::string attribute;
      WireReader parts(field.bytes);
      for (WireField part; parts.Next(part);) {
        const auto found = part.number == attribute_field::kGraph ? change.graphs.find(graph++) : change.graphs.end();
        if (found == change.graphs.end()) {
          attribute += part.whole;
        } else {
          PutBytes(attribute, attribute_field::kGraph, found->second);
        }
      }
      PutBytes(node, node_field::kAttribute, attribute);
    } else {
      node += field.whole;
    }
  }
  return node;
}

std::string OnnxGraph::Write() const {
  std::string edited;
  size_t extra = added_.size() + 1024;
  for (const auto& [node, change] : changes_) {
    extra += change.before.size() + 1024;
    for (const auto& [graph, bytes] : change.graphs) extra += bytes.size();
  }
  // Weights are most of a graph, and must not be copied more often than once.
  edited.reserve(graph_.size() + extra);
  size_t node = 0;
  WireReader reader(graph_);
  for (WireField field; reader.Next(field);) {
    const auto found = field.number == graph_field::kNode ? changes_.find(node++) : changes_.end();
    if (found == changes_.end()) {
      edited += field.whole;
      continue;
    }
    edited += found->second.before;
    PutBytes(edited, graph_field::kNode, WriteNode(field.bytes, found->second));
  }
  edited += added_;
  return edited;
}

}  // namespace millrace
