// Inputs that are images in requests, and that the model takes as normalised planes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batching/input_map.h"
#include "batching/status.h"
#include "codec/image.h"

namespace millrace {

// The declared conversion of an input: (byte × scale − mean[c]) / deviation[c], in the order of the planes.
struct PixelForm {
  std::string input;
  float scale = 0;
  std::vector<float> mean;
  std::vector<float> deviation;
  // Whether the first and the third channel are swapped, for BGR images and an RGB model or the reverse.
  bool reverse = false;
  // Whether requests may also have the model's own form, which the signature then shows.
  bool either = false;
};

// Makes the map from uint8 [rows, height, width, channels], or the same without rows, to a float32 input of [rows,
// channels, height, width]. Changes `spec` from the model's input to the input of requests. Returns kInvalidArgument if
// the model's input has another type or rank, or `form` does not fit it.
Status MakePixelInput(const PixelForm& form, TensorSpec& spec,
                      std::unique_ptr<const InputMap>& map);

}  // namespace millrace
