// A graph of an ONNX file as nodes between named tensors, with changes that are written back.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batching/tensor.h"

namespace millrace {

// A node, as views of the file.
struct OnnxNode {
  std::string_view type;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  // The graphs in its attributes, in the order of the attributes: the branches of an If.
  std::vector<std::string_view> graphs;
};

// Reads a graph, whose bytes must outlive the object, and collects changes until Write. Nodes are named by their index.
class OnnxGraph {
 public:
  // The index of no node.
  static constexpr size_t kNone = SIZE_MAX;

  // `outer` are the names of the constants of the graphs around this one.
  explicit OnnxGraph(std::string_view graph, std::set<std::string_view> outer = {});

  // Returns false if the graph is malformed. The other methods must then not be used.
  bool ok() const noexcept { return ok_; }

  const std::vector<OnnxNode>& nodes() const noexcept { return nodes_; }
  const std::set<std::string_view>& inputs() const noexcept { return inputs_; }
  const std::set<std::string_view>& outputs() const noexcept { return outputs_; }
  // The names of tensors whose values are in the file, those of the graphs around this one included.
  const std::set<std::string_view>& constants() const noexcept { return constants_; }
  // Returns the node that makes a tensor, or kNone.
  size_t Producer(std::string_view tensor) const noexcept;
  // Returns the nodes that read a tensor.
  std::span<const size_t> Consumers(std::string_view tensor) const noexcept;

  // Makes an input of a node another tensor.
  void SetInput(size_t node, size_t input, std::string tensor);
  // Makes an attribute graph of a node another one.
  void SetGraph(size_t node, size_t graph, std::string bytes);
  // Adds a node before another one. `integers` are attributes.
  void Insert(size_t before, std::string_view type, std::initializer_list<std::string_view> inputs,
              std::string_view output, std::initializer_list<std::pair<std::string_view, int64_t>> integers = {});
  // Add a constant of rank 1, and of rank 0.
  void AddConstant(std::string_view name, std::initializer_list<int64_t> values);
  void AddConstant(std::string_view name, float value);
  // Adds an input of the graph: int64, with dimensions that have these names or, if they are digits, sizes.
  void AddInput(std::string_view name, std::initializer_list<std::string_view> dimensions);

  bool changed() const noexcept { return changed_; }
  std::string Write() const;

 private:
  struct Change {
    std::string before;
    std::map<size_t, std::string> inputs;
    std::map<size_t, std::string> graphs;
  };

  void ReadNode(std::string_view message);
  void ReadAttribute(std::string_view message, OnnxNode& node);
  static std::string WriteNode(std::string_view message, const Change& change);
  void AddTensor(std::string_view name, ElementType type, std::initializer_list<int64_t> shape, std::string_view raw);

  const std::string_view graph_;
  bool ok_ = true;
  std::vector<OnnxNode> nodes_;
  std::set<std::string_view> inputs_;
  std::set<std::string_view> outputs_;
  std::set<std::string_view> constants_;
  std::map<std::string_view, size_t> producers_;
  std::map<std::string_view, std::vector<size_t>> consumers_;

  bool changed_ = false;
  std::map<size_t, Change> changes_;
  // Fields that come after all others.
  std::string added_;
};

}  // namespace millrace
