// Says which shared library is missing and where to get it, in a sentence.
//
// The libraries of providers are never opened here: their initialisers need a pointer that ONNX Runtime sets just
// before it opens them itself, and without it they crash the process.
#pragma once

#include <string>
#include <string_view>

#include "batching/status.h"

namespace millrace {

// Returns the name of the file that could not be opened, from the message of the dynamic linker or a longer message
// that quotes it. Returns "" if the linker reported another error, such as a missing symbol.
std::string MissingSoname(std::string_view message);

// Returns kOk if the provider's file is beside the ONNX Runtime library `library` of version `version`, otherwise
// kFailedPrecondition. This is needed because the npm package lists CUDA and TensorRT as available without their files.
Status CheckProviderFile(const std::string& library, const std::string& version,
                         std::string_view device, std::string_view file);

// Returns kFailedPrecondition with what to install, given ONNX Runtime's message when it could not open a provider.
Status ExplainLoadError(std::string_view device, const std::string& message);

}  // namespace millrace
