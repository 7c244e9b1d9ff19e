// Loads that the threads of a process share.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "batching/status.h"

namespace millrace {

// What was loaded under a key, as long as a thread holds it. Thread-safe.
template <class Loaded>
class SharedLoads {
 public:
  // Returns what a thread holds under `key`, and otherwise what `load(loaded)` loads. Two calls with one key at a time
  // load once, and the second waits for the first.
  template <class Load>
  Status Get(const std::string& key, Load&& load, std::shared_ptr<Loaded>& loaded) {
    std::shared_ptr<Entry> entry;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(entries_, [](const auto& item) {
        // An entry that is locked is being loaded.
        const std::unique_lock unused(item.second->loading, std::try_to_lock);
        return unused && item.second.use_count() == 1 && item.second->loaded.expired();
      });
      std::shared_ptr<Entry>& known = entries_[key];
      if (known == nullptr) known = std::make_shared<Entry>();
      entry = known;
    }
    const std::lock_guard lock(entry->loading);
    loaded = entry->loaded.lock();
    if (loaded != nullptr) return {};
    MILLRACE_RETURN_IF_ERROR(load(loaded));
    entry->loaded = loaded;
    return {};
  }

 private:
  struct Entry {
    std::mutex loading;
    std::weak_ptr<Loaded> loaded;  // guarded by loading
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
};

}  // namespace millrace
