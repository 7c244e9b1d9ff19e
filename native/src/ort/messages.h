// Turns ONNX Runtime's messages into sentences for people who have not read its source.
#pragma once

#include <string>
#include <string_view>

#include "batching/status.h"

namespace millrace {

// Returns the message in one line, without source files, line numbers, signatures of functions and conditions.
std::string PlainMessage(std::string_view message);

// Returns whether the message says that a run or a load ran out of memory, in the arena, at its limit, or on a device.
bool SaysOutOfMemory(std::string_view message) noexcept;

// Returns the status of a run that failed with ONNX Runtime's message: kResourceExhausted if memory ran out;
// kInvalidArgument if the model refuses the inputs, such as an index that is out of range, or if `refused`, which means
// that ONNX Runtime's own code says so; otherwise kInternal.
Status ExplainRun(std::string_view message, bool refused);

}  // namespace millrace
