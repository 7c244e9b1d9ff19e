// Where TensorRT engines are kept, so that a build of minutes happens once.
#pragma once

#include <string>

#include "batching/status.h"
#include "ort/options.h"

namespace millrace {

// Everything that makes a TensorRT engine unusable when it changes, but for the profiles, which the provider
// compares itself.
struct TensorRtEngineKey {
  // Of the model's bytes, hexadecimal.
  std::string digest;
  std::string ort_version;
  std::string tensorrt_version;
  std::string gpu;
  int capability = 0;
  // Translated; precision and builder settings change the TensorRT engine.
  KeyValues options;
};

// Names below the cache folder, made of letters, digits, '.', '_' and '-' only. A TensorRT engine is good for
// one model, one set of options and one kind of GPU; timings serve every model on that kind.
std::string TensorRtEngineFolder(const TensorRtEngineKey& key);
std::string TimingFolder(const TensorRtEngineKey& key);

// The version of the TensorRT library in reach, such as `10.13.2`; empty if there is none.
std::string TensorRtVersion();

// Makes both folders below `root`, readable by this user alone: a TensorRT engine is code.
// kFailedPrecondition where that cannot be done.
Status MakeCacheFolders(const std::string& root, const TensorRtEngineKey& key, std::string& engines,
                        std::string& timings);

}  // namespace millrace
