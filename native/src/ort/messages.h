// ONNX Runtime's messages as sentences for people who have not read its source.
#pragma once

#include <string>
#include <string_view>

#include "batching/status.h"

namespace millrace {

// The message without source files, lines, signatures and conditions of functions, in one line.
std::string PlainMessage(std::string_view message);

// Whether a run or a load ran out of memory: the arena's, a limit of it, or a device's.
bool SaysOutOfMemory(std::string_view message) noexcept;

// What a run that failed with ONNX Runtime's message means. kInvalidArgument: the model refuses what it was
// given, as with an index that is out of range; `refused` says that ONNX Runtime itself calls it so.
// kResourceExhausted: memory. kInternal: anything else.
Status ExplainRun(std::string_view message, bool refused);

}  // namespace millrace
