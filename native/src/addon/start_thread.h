#pragma once

#include <system_error>
#include <thread>
#include <utility>

namespace millrace {

// Runs `work` on a thread of its own. False where the system starts no more threads; `work` has not run
// then. Callbacks of Node-API and hooks must not throw, which the constructor of std::thread does.
template <class Work>
bool StartThread(Work&& work) {
  try {
    std::thread(std::forward<Work>(work)).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace millrace
