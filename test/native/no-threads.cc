// Preloaded into a runtime, makes the addon run out of threads. The file that NO_THREADS names, if it is there, holds how
// many threads the addon can still start; the runtime's own always start.
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// std::thread hands an object over whose class, and so whose table of virtual functions, is the addon's.
bool IsAddons(void* argument) {
  Dl_info info;
  return argument != nullptr && dladdr(*static_cast<void**>(argument), &info) != 0 &&
         info.dli_fname != nullptr && std::strstr(info.dli_fname, "millrace.node") != nullptr;
}

// Takes one of the threads that are left.
bool Take() {
  const char* const path = std::getenv("NO_THREADS");
  std::FILE* const file = path != nullptr ? std::fopen(path, "r+") : nullptr;
  if (file == nullptr) return true;
  int left = 0;
  const bool taken = std::fscanf(file, "%d", &left) == 1 && left > 0;
  std::rewind(file);
  if (taken) std::fprintf(file, "%d\n", left - 1);
  std::fclose(file);
  return taken;
}

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto* const create = reinterpret_cast<Create*>(dlsym(RTLD_NEXT, "pthread_create"));
  if (IsAddons(argument) && !Take()) return EAGAIN;
  return create(thread, attributes, start, argument);
}
