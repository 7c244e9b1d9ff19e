// Reads the files of models before they are loaded.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "addon/node_addon_api.h"
#include "ort/model_files.h"

namespace millrace {

class JsThread;

// Remembers what it has read from files until they change, so that several threads that load a model read it once.
// Thread-safe.
class ModelInspector {
 public:
  // Does what millrace::InspectFile does.
  Status Inspect(const std::string& path, ModelFacts& facts);

 private:
  struct Entry {
    std::mutex reading;
    // The inode, size and times of every file; empty if they are not known. Guarded by reading.
    std::vector<int64_t> stamp;
    ModelFacts facts;  // guarded by reading
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
};

// Adds inspect(path | bytes): Promise<NativeFacts> to an engine object, which must not outlive `thread`.
void AddInspect(Napi::Env env, Napi::Object engine, std::shared_ptr<JsThread>* thread);

}  // namespace millrace
