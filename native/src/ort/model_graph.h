// What a load has to know of a model's file that ONNX Runtime does not tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// A ZipMap node at the end of a classifier: it turns probabilities [rows, classes] into a sequence of maps
// from class to probability, which no tensor can hold.
struct ZipMap {
  std::string input;
  std::string output;
  // One for each class, in the order of the probabilities.
  std::vector<std::string> labels;
  // The labels are whole numbers in the file.
  bool whole_numbers = false;
};

struct GraphFacts {
  // False where the file is no ONNX model; the rest is then what was read until there.
  bool valid = false;
  // Nodes may run a number of times that depends on the data, so that runs differ in length.
  bool control_flow = false;
  // The size of some tensor may depend on the data, and so the size of an output.
  bool data_sized = false;
  // Files that hold tensors, as the model names them: relative to its folder, each once.
  std::vector<std::string> external;
  // Those whose results are outputs of the model.
  std::vector<ZipMap> zip_maps;
};

// Reads an ONNX file. Any bytes are safe.
GraphFacts ReadGraph(std::string_view model);

// The model with the probabilities themselves in place of each of `zip_maps`: outputs of the same names,
// float tensors [rows, classes].
std::string WithoutZipMaps(std::string_view model, const std::vector<ZipMap>& zip_maps);

}  // namespace millrace
