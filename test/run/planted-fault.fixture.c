// An addon with a fault: a data race under the thread sanitizer, otherwise a read of freed memory.
#include <node_api.h>
#include <pthread.h>
#include <stdlib.h>

static int shared;

static void* Write(void* nothing) {
  for (int i = 0; i < 1000; ++i) shared = i;
  return nothing;
}

static void Race(void) {
  pthread_t other;
  pthread_create(&other, NULL, Write, NULL);
  Write(NULL);
  pthread_join(other, NULL);
}

static void ReadFreed(void) {
  int* volatile memory = malloc(sizeof *memory);
  *memory = 1;
  free(memory);
  shared = *memory;
}

NAPI_MODULE_INIT() {
  (void)env;
#ifdef __SANITIZE_THREAD__
  (void)ReadFreed;
  Race();
#else
  (void)Race;
  ReadFreed();
#endif
  return exports;
}
