// Images as requests bring them, for models that take normalised planes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batching/input_map.h"
#include "batching/status.h"
#include "codec/image.h"

namespace millrace {

// What is declared of one input: (byte × scale − mean[c]) / deviation[c], in the order of the planes.
struct PixelForm {
  std::string input;
  float scale = 0;
  std::vector<float> mean;
  std::vector<float> deviation;
  // Requests bring BGR where the model takes RGB, or the other way round.
  bool reverse = false;
};

// Takes uint8 [rows, height, width, channels], or without rows, for a float32 input of [rows,
// channels, height, width]. `spec` becomes what requests bring. kInvalidArgument: the model's input is
// not of that kind, or `form` does not fit it.
Status MakePixelInput(const PixelForm& form, TensorSpec& spec,
                      std::unique_ptr<const InputMap>& map);

}  // namespace millrace
