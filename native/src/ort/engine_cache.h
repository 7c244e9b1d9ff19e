// The folders in which TensorRT engines are kept, so that a build, which takes minutes, happens only once.
#pragma once

#include <string>

#include "batching/status.h"
#include "ort/options.h"

namespace millrace {

// Everything on which a TensorRT engine depends: it cannot be used if one of these changes.
struct TensorRtEngineKey {
  // The digest of the model, in hexadecimal (see ModelFacts).
  std::string digest;
  std::string ort_version;
  std::string tensorrt_version;
  std::string gpu;
  int capability = 0;
  // The translated options, since precision and builder settings change the engine, and the profile.
  KeyValues options;
};

// Return the paths of the two folders below the cache folder, whose names have only letters, digits, '.', '_' and '-'.
// A TensorRT engine is for one model, one set of options and one kind of GPU; all models on that kind of GPU share
// timings.
std::string TensorRtEngineFolder(const TensorRtEngineKey& key);
std::string TimingFolder(const TensorRtEngineKey& key);

// Returns the version of the TensorRT library that can be loaded, such as `10.13.2`, or "" if there is none.
std::string TensorRtVersion();

// Makes both folders below `root`, and returns their paths in `engines` and `timings`. Only this user can read them,
// since a TensorRT engine is code. Returns kFailedPrecondition if they cannot be made.
Status MakeCacheFolders(const std::string& root, const TensorRtEngineKey& key, std::string& engines,
                        std::string& timings);

}  // namespace millrace
