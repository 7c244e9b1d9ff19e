// Reading models' files before they are loaded.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ort/model_files.h"

namespace millrace {

class JsThread;

// Remembers what files hold for as long as they are the same: threads that load one model read it once.
// Thread-safe.
class ModelInspector {
 public:
  // As millrace::InspectFile.
  Status Inspect(const std::string& path, ModelFacts& facts);

 private:
  struct Entry {
    std::mutex reading;
    // Inode, size and times of every file; empty: not known. Guarded by reading.
    std::vector<int64_t> stamp;
    ModelFacts facts;  // guarded by reading
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
};

// Adds inspect(path | bytes) to an engine: Promise<{ digest, controlFlow }>. `thread` lives with the engine.
void AddInspect(Napi::Env env, Napi::Object engine, std::shared_ptr<JsThread>* thread);

}  // namespace millrace
