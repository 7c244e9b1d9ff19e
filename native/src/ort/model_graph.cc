#include "ort/model_graph.h"

#include <algorithm>
#include <array>
#include <set>

#include "ort/onnx_fields.h"
#include "ort/wire.h"

namespace millrace {
namespace {

// No element type has a greater number.
constexpr uint64_t kMaxElementType = 255;

// The deepest nesting of graphs, which is far beyond what exporters write.
constexpr int kMaxDepth = 64;

constexpr std::array<std::string_view, 4> kControlFlow = {"Loop", "Scan", "If", "SequenceMap"};

// Operators whose outputs have sizes that depend on the values of their inputs.
constexpr std::array<std::string_view, 14> kDataSized = {
    "NonZero", "Compress", "NonMaxSuppression", "Unique", "StringSplit", "Loop",
    "Scan",    "If",       "SequenceMap",       "BeamSearch", "GreedySearch", "Sampling",
    "WhisperBeamSearch", "ImageDecoder"};

// Operators that take a size as an input, and the index of the first input that may hold it. DFT also takes its axis as
// an input.
struct Sized {
  std::string_view type;
  size_t first;
};
constexpr std::array<Sized, 24> kSized = {{{"Reshape", 1},
                                           {"Expand", 1},
                                           {"Tile", 1},
                                           {"Slice", 1},
                                           {"Pad", 1},
                                           {"Resize", 1},
                                           {"Upsample", 1},
                                           {"ConstantOfShape", 0},
                                           {"TopK", 1},
                                           {"Range", 0},
                                           {"Split", 1},
                                           {"SplitToSequence", 1},
                                           {"CenterCropPad", 1},
                                           {"MaxUnpool", 2},
                                           {"OneHot", 1},
                                           {"HannWindow", 0},
                                           {"HammingWindow", 0},
                                           {"BlackmanWindow", 0},
                                           {"MelWeightMatrix", 0},
                                           {"DFT", 1},
                                           {"Col2Im", 1},
                                           {"AffineGrid", 1},
                                           {"STFT", 1},
                                           {"CropAndResize", 3}}};

bool Contains(const auto& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

struct Node {
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::string_view type;
  std::string_view domain;
};

class GraphReader {
 public:
  GraphFacts Read(std::string_view model) {
    WireReader reader(model);
    for (WireField field; reader.Next(field);) {
      if (field.number == model_field::kGraph) {
        has_graph_ = true;
        ReadGraph(field.bytes, 0);
      } else if (field.number == model_field::kFunction) {
        ReadNodes(field.bytes, function_field::kNode, 1);
      } else if (field.number == model_field::kMetadata) {
        facts_.metadata.emplace_back(FirstString(field.bytes, metadata_field::kKey),
                                     FirstString(field.bytes, metadata_field::kValue));
      }
    }
    facts_.valid = ok_ && reader.ok() && has_graph_;
    return std::move(facts_);
  }

 private:
  void ReadGraph(std::string_view graph, int depth) {
    if (depth > kMaxDepth) ok_ = false;
    if (!ok_) return;
    WireReader reader(graph);
    std::set<std::string_view> outputs;
    for (WireField field; reader.Next(field);) {
      if (field.number == graph_field::kInitializer) {
        const std::string_view name = ReadTensor(field.bytes);
        if (depth == 0) fixed_.insert(name);
      } else if (field.number == graph_field::kSparseInitializer) {
        ReadSparse(field.bytes);
      } else if (field.number == graph_field::kInput && depth == 0) {
        facts_.signature.inputs.push_back(ReadValue(field.bytes));
      } else if (field.number == graph_field::kOutput) {
        outputs.insert(FirstString(field.bytes, value_field::kName));
        if (depth == 0) facts_.signature.outputs.push_back(ReadValue(field.bytes));
      }
    }
    ok_ = ok_ && reader.ok();
    if (depth == 0) {
      // Old files list initializers as inputs, too.
      std::erase_if(facts_.signature.inputs,
                    [this](const TensorSpec& spec) { return fixed_.contains(spec.name); });
    }
    // The nodes are read last, because they need the initializers, which come after them in the file.
    ReadNodes(graph, graph_field::kNode, depth);
    if (depth > 0) return;
    std::erase_if(facts_.zip_maps, [&](const ZipMap& map) { return !outputs.contains(map.output); });
  }

  TensorSpec ReadValue(std::string_view message) {
    TensorSpec spec;
    spec.name = FirstString(message, value_field::kName);
    const std::string_view type = FirstString(message, value_field::kType);
    WireReader reader(FirstString(type, type_field::kTensor));
    for (WireField field; reader.Next(field);) {
      if (field.number == tensor_type_field::kElement) {
        const auto element = static_cast<ElementType>(std::min<uint64_t>(field.value, kMaxElementType));
        spec.type = *ElementName(element) == '\0' ? ElementType::kUndefined : element;
      } else if (field.number == tensor_type_field::kShape) {
        ReadDimensions(field.bytes, spec);
      }
    }
    ok_ = ok_ && reader.ok();
    return spec;
  }

  void ReadDimensions(std::string_view shape, TensorSpec& spec) {
    WireReader reader(shape);
    for (WireField field; reader.Next(field);) {
      if (field.number != shape_field::kDimension) continue;
      spec.dims.push_back(-1);
      spec.symbols.emplace_back();
      WireReader dimension(field.bytes);
      for (WireField part; dimension.Next(part);) {
        if (part.number == dimension_field::kValue) spec.dims.back() = static_cast<int64_t>(part.value);
        if (part.number == dimension_field::kSymbol) spec.symbols.back() = part.bytes;
      }
      ok_ = ok_ && dimension.ok();
    }
    ok_ = ok_ && reader.ok();
  }

  void ReadNodes(std::string_view message, uint32_t number, int depth) {
    WireReader reader(message);
    for (WireField field; ok_ && reader.Next(field);) {
      if (field.number == number) ReadNode(field.bytes, depth);
    }
    ok_ = ok_ && reader.ok();
  }

  void ReadNode(std::string_view message, int depth) {
    Node node;
    ZipMap map;
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      switch (field.number) {
        case node_field::kInput:
          node.inputs.push_back(field.bytes);
          break;
        case node_field::kOutput:
          node.outputs.push_back(field.bytes);
          break;
        case node_field::kOpType:
          node.type = field.bytes;
          break;
        case node_field::kDomain:
          node.domain = field.bytes;
          break;
        case node_field::kAttribute:
          ReadAttribute(field.bytes, depth, map);
          break;
        default:
          break;
      }
    }
    ok_ = ok_ && reader.ok();
    facts_.control_flow = facts_.control_flow || Contains(kControlFlow, node.type);
    if (depth > 0) return;
    NoteSize(node);
    if (node.type != "ZipMap" || node.inputs.size() != 1 || node.outputs.size() != 1) return;
    map.input = node.inputs[0];
    map.output = node.outputs[0];
    facts_.zip_maps.push_back(std::move(map));
  }

  // Tracks the tensors that depend only on constants and on the shapes of inputs. One pass is enough, because each node
  // comes after the nodes whose outputs it reads.
  void NoteSize(const Node& node) {
    const bool known = node.domain.empty() || node.domain == "ai.onnx" || node.domain == "ai.onnx.ml" ||
                       node.domain == "com.microsoft";
    const auto fixed = [this](std::string_view name) { return name.empty() || fixed_.contains(name); };
    const bool all_fixed = std::ranges::all_of(node.inputs, fixed);
    if (node.type == "Shape" || node.type == "Size" || node.type == "Constant" ||
        (all_fixed && !node.inputs.empty())) {
      fixed_.insert(node.outputs.begin(), node.outputs.end());
      return;
    }
    bool sized = !known || Contains(kDataSized, node.type);
    for (const auto& [type, first] : kSized) {
      if (node.type != type) continue;
      for (size_t i = first; i < node.inputs.size(); ++i) sized = sized || !fixed(node.inputs[i]);
    }
    facts_.data_sized = facts_.data_sized || sized;
  }

  void ReadAttribute(std::string_view message, int depth, ZipMap& map) {
    const std::string_view name = FirstString(message, attribute_field::kName);
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      switch (field.number) {
        case attribute_field::kTensor:
        case attribute_field::kTensors:
          ReadTensor(field.bytes);
          break;
        case attribute_field::kSparseTensor:
          ReadSparse(field.bytes);
          break;
        case attribute_field::kGraph:
        case attribute_field::kGraphs:
          ReadGraph(field.bytes, depth + 1);
          break;
        case attribute_field::kStrings:
          if (name == "classlabels_strings") map.labels.emplace_back(field.bytes);
          break;
        case attribute_field::kInts:
          if (name == "classlabels_int64s") ReadWholeLabels(field, map);
          break;
        default:
          break;
      }
    }
    ok_ = ok_ && reader.ok();
  }

  // Reads one label, or several that are packed into one field.
  void ReadWholeLabels(const WireField& field, ZipMap& map) {
    map.whole_numbers = true;
    const auto add = [&map](uint64_t value) {
      map.labels.push_back(std::to_string(static_cast<int64_t>(value)));
    };
    if (field.type == WireType::kVarint) return add(field.value);
    // Each number gets the tag that packing leaves out, so that WireReader can read it as a field.
    std::string_view rest = field.bytes;
    while (!rest.empty()) {
      size_t size = 1;
      while (size < rest.size() && size < 10 && (rest[size - 1] & 0x80) != 0) ++size;
      const std::string one = std::string(1, '\x08') + std::string(rest.substr(0, size));
      rest.remove_prefix(size);
      WireReader reader(one);
      WireField number;
      if (!reader.Next(number)) {
        ok_ = false;
        return;
      }
      add(number.value);
    }
  }

  void ReadSparse(std::string_view message) {
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      if (field.number == 1 || field.number == 2) ReadTensor(field.bytes);
    }
    ok_ = ok_ && reader.ok();
  }

  // Reads a tensor and returns its name.
  std::string_view ReadTensor(std::string_view message) {
    std::string_view name;
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      if (field.number == tensor_field::kName) name = field.bytes;
      if (field.number != tensor_field::kExternalData) continue;
      if (FirstString(field.bytes, 1) != "location") continue;
      std::string location(FirstString(field.bytes, 2));
      if (!Contains(facts_.external, location)) facts_.external.push_back(std::move(location));
    }
    ok_ = ok_ && reader.ok();
    return name;
  }

  static std::string_view FirstString(std::string_view message, uint32_t number) {
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      if (field.number == number && field.type == WireType::kBytes) return field.bytes;
    }
    return {};
  }

  GraphFacts facts_;
  bool ok_ = true;
  bool has_graph_ = false;
  // The names of the tensors that depend only on shapes and constants.
  std::set<std::string_view> fixed_;
};

// Returns the ValueInfoProto of a float tensor [any, classes].
std::string FloatRows(const ZipMap& map) {
  std::string classes;
  PutVarint(classes, 1, map.labels.size());
  std::string shape;
  PutBytes(shape, 1, "");
  PutBytes(shape, 1, map.labels.empty() ? std::string_view() : std::string_view(classes));
  std::string tensor;
  PutVarint(tensor, 1, 1);
  PutBytes(tensor, 2, shape);
  std::string type;
  PutBytes(type, 1, tensor);
  std::string value;
  PutBytes(value, 1, map.output);
  PutBytes(value, 2, type);
  return value;
}

std::string Identity(const ZipMap& map) {
  std::string node;
  PutBytes(node, node_field::kInput, map.input);
  PutBytes(node, node_field::kOutput, map.output);
  PutBytes(node, node_field::kOpType, "Identity");
  return node;
}

std::string EditGraph(std::string_view graph, const std::vector<ZipMap>& zip_maps) {
  std::string edited;
  edited.reserve(graph.size());
  WireReader reader(graph);
  for (WireField field; reader.Next(field);) {
    const ZipMap* found = nullptr;
    const bool node = field.number == graph_field::kNode;
    if (node || field.number == graph_field::kOutput) {
      WireReader inner(field.bytes);
      for (WireField part; inner.Next(part);) {
        if (part.number != (node ? node_field::kOutput : 1u)) continue;
        for (const ZipMap& map : zip_maps) {
          if (map.output == part.bytes) found = &map;
        }
      }
    }
    if (found == nullptr) {
      edited += field.whole;
    } else {
      PutBytes(edited, field.number, node ? Identity(*found) : FloatRows(*found));
    }
  }
  return edited;
}

}  // namespace

GraphFacts ReadGraph(std::string_view model) { return GraphReader().Read(model); }

std::string WithoutZipMaps(std::string_view model, const std::vector<ZipMap>& zip_maps) {
  std::string edited;
  edited.reserve(model.size());
  bool standard = false;
  WireReader reader(model);
  for (WireField field; reader.Next(field);) {
    if (field.number == model_field::kGraph) {
      PutBytes(edited, field.number, EditGraph(field.bytes, zip_maps));
      continue;
    }
    if (field.number == model_field::kOpset) {
      std::string_view domain;
      WireReader opset(field.bytes);
      for (WireField part; opset.Next(part);) {
        if (part.number == 1) domain = part.bytes;
      }
      standard = standard || domain.empty() || domain == "ai.onnx";
    }
    edited += field.whole;
  }
  if (!standard) {
    // Identity is in the standard operator set, which a file with only tree ensembles need not import.
    std::string opset;
    PutBytes(opset, 1, "");
    PutVarint(opset, 2, 9);
    PutBytes(edited, model_field::kOpset, opset);
  }
  return edited;
}

}  // namespace millrace
