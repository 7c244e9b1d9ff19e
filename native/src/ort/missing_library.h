// Says which shared library is missing and where to get it, in a sentence.
//
// Providers are never opened here: their initialisers need a pointer that ONNX Runtime sets just
// before it opens them itself, and crash the process without.
#pragma once

#include <string>
#include <string_view>

#include "batching/status.h"

namespace millrace {

// The name of the file that could not be opened, out of what the dynamic linker said, alone or
// quoted in a longer message; empty if it said something else (a symbol that is missing, say).
std::string MissingSoname(std::string_view message);

// kOk if the provider's file is beside the ONNX Runtime library `library` of version `version`, else
// kFailedPrecondition. The npm package lists CUDA and TensorRT as available without their files.
Status CheckProviderFile(const std::string& library, const std::string& version,
                         std::string_view device, std::string_view file);

// What ONNX Runtime said when it could not open a provider, as a sentence that says what to install.
Status ExplainLoadError(std::string_view device, const std::string& message);

}  // namespace millrace
