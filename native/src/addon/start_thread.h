#pragma once

#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace millrace {

// Runs `work` on a new thread. Returns false, without running it, if no thread can be started or memory runs out. The
// constructor of std::thread throws in that case, which callbacks and hooks of Node-API must not do.
template <class Work>
bool StartThread(Work&& work) {
  try {
    std::thread(std::forward<Work>(work)).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace millrace
