// Facts about a model's file that a load needs and ONNX Runtime does not report.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batching/tensor.h"

namespace millrace {

// A ZipMap node at the end of a classifier: it turns probabilities [rows, classes] into a sequence of maps
// from class to probability, which no tensor can hold.
struct ZipMap {
  std::string input;
  std::string output;
  // One for each class, in the order of the probabilities.
  std::vector<std::string> labels;
  // Whether the labels are integers in the file.
  bool whole_numbers = false;
};

struct GraphFacts {
  // Whether the file is an ONNX model. Otherwise the other fields hold what was read before the error.
  bool valid = false;
  // Whether nodes may run a number of times that depends on the data, so that the time of a run does, too.
  bool control_flow = false;
  // Whether the size of a tensor, and so of an output, may depend on the data.
  bool data_sized = false;
  // The inputs and outputs as the file declares them, without inputs whose values are in the file. One that is no tensor
  // has the type kUndefined. One whose shape the file does not tell has no dimensions; a session may know it.
  Signature signature;
  // The files that hold tensors, relative to the model's folder, each once.
  std::vector<std::string> external;
  // What exporters have written about the model: keys and values.
  std::vector<std::pair<std::string, std::string>> metadata;
  // The ZipMap nodes whose results are outputs of the model.
  std::vector<ZipMap> zip_maps;
};

// Reads an ONNX file. `model` may be any bytes.
GraphFacts ReadGraph(std::string_view model);

// Returns the model with the probabilities in place of each of `zip_maps`, as outputs of the same names, which are
// float tensors [rows, classes].
std::string WithoutZipMaps(std::string_view model, const std::vector<ZipMap>& zip_maps);

}  // namespace millrace
