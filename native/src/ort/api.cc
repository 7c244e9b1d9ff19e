#include "ort/api.h"

#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace millrace {
namespace {

// Returns 30 for "1.30.0". The minor version is also the newest API version that the library offers.
int MinorVersion(const std::string& version) {
  const size_t dot = version.find('.');
  return dot == std::string::npos ? 0 : std::atoi(version.c_str() + dot + 1);
}

// Discards log messages, because ONNX Runtime also returns the errors that it logs.
void ORT_API_CALL Discard(void*, OrtLoggingLevel, const char*, const char*, const char*,
                          const char*) {}

// The gate is never destroyed, like the library that it guards.
ExitGate& Gate() {
  static ExitGate* const gate = new ExitGate;
  return *gate;
}

// The longest time that exit waits for runs. A terminated run ends with its current node, and nearly every node takes
// less time; exit must not hang on one that takes longer.
constexpr Nanos kExitLimit = 2'000'000'000;

// Returns whether this is the first thread of the process, which is the one that ends it.
bool OnFirstThread() noexcept { return gettid() == getpid(); }

// Closes the gate when exit() begins. ONNX Runtime creates static objects while it runs, and exit() destroys them
// before it calls handlers that were registered earlier, so a handler may be too late. Before all of that, exit()
// destroys the thread-local objects of the thread that calls it, such as this one.
class ExitGuard {
 public:
  ~ExitGuard() {
    if (OnFirstThread()) Gate().CloseAndWait(kExitLimit);
  }
};

// An ONNX file with one node: y = Identity(x) of a scalar.
constexpr unsigned char kSmallestModel[] = {
    8,   8,  58, 47, 10, 16, 10, 1, 120, 18, 1,  121, 34, 8,  73, 100, 101, 110, 116,
    105, 116, 121, 18, 1, 103, 90, 11, 10, 1, 120, 18, 6, 10, 4, 8, 1, 18, 0, 98, 11,
    10,  1,  121, 18, 6, 10, 4, 8, 1, 18, 0, 66, 2, 16, 17};

// Creates a session, so that the library creates its registries, which are static objects. It takes a few milliseconds.
void BuildRegistries(const OrtLibrary& library) {
  const OrtApi& api = *library.api;
  OrtSessionOptions* options = nullptr;
  OrtSession* session = nullptr;
  if (FromOrt(api, api.CreateSessionOptions(&options), Code::kInternal).ok()) {
    FromOrt(api,
            api.CreateSessionFromArray(library.env, kSmallestModel, sizeof kSmallestModel, options,
                                       &session),
            Code::kInternal)
        .ok();
  }
  api.ReleaseSession(session);
  api.ReleaseSessionOptions(options);
}

// Is called on each thread that opens an engine. If the first thread opens none, it has no ExitGuard, and an exit
// handler closes the gate instead. The handler is registered after the library has created its static objects, and
// therefore runs before they are destroyed.
void GuardExit(const OrtLibrary& library) {
  thread_local const ExitGuard guard;
  static_cast<void>(guard);
  static const int registered = [&library] {
    if (!OnFirstThread()) BuildRegistries(library);
    return std::atexit([] { Gate().CloseAndWait(kExitLimit); });
  }();
  static_cast<void>(registered);
}

constexpr const char* kRemedy = ". Point ORT_LIBRARY at a libonnxruntime.so, or leave it out";

Status Load(const std::string& path, OrtLibrary& library) {
  // The library reads these variables when it is loaded or when its environment is created. A model file must not set
  // session options.
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  unsetenv("ORT_LOAD_CONFIG_FROM_MODEL");

  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    return {Code::kNotFound, std::string("Cannot load the ONNX Runtime library: ") + dlerror() + kRemedy};
  }
  library.gate = &Gate();
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto get_base = reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) {
    return {Code::kFailedPrecondition, path + " is not an ONNX Runtime library: it has no OrtGetApiBase" + kRemedy};
  }
  const OrtApiBase* const base = get_base();
  library.path = path;
  library.version = base->GetVersionString();
  // The version is checked first, because GetApi() prints to stderr if the library lacks the requested version.
  if (MinorVersion(library.version) < ORT_API_VERSION) {
    return {Code::kFailedPrecondition,
            "ONNX Runtime " + library.version + " is too old: this addon was built for 1." +
                std::to_string(ORT_API_VERSION) + " or newer. Point ORT_LIBRARY at a newer library"};
  }
  library.api = base->GetApi(ORT_API_VERSION);
  if (library.api == nullptr) {
    return {Code::kFailedPrecondition, "ONNX Runtime " + library.version + " does not offer API version " +
                                           std::to_string(ORT_API_VERSION)};
  }
  const OrtApi& api = *library.api;
  MILLRACE_ORT(api,
               CreateEnvWithCustomLogger(Discard, nullptr, ORT_LOGGING_LEVEL_FATAL, "millrace",
                                         &library.env),
               Code::kInternal);
  MILLRACE_ORT(api, DisableTelemetryEvents(library.env), Code::kInternal);

  char** names = nullptr;
  int count = 0;
  MILLRACE_ORT(api, GetAvailableProviders(&names, &count), Code::kInternal);
  library.providers.assign(names, names + count);
  MILLRACE_ORT(api, ReleaseAvailableProviders(names, count), Code::kInternal);
  return {};
}

}  // namespace

void ExitGate::CloseAndWait(Nanos limit) noexcept {
  inside_.Close();
  {
    const std::lock_guard lock(mutex_);
    for (RunHandle* handle : handles_) handle->Terminate();
  }
  // This loop sleeps and polls, because to be notified would cost a lock in each run.
  const SteadyClock clock;
  const Nanos until = clock.Now() + limit;
  while (!inside_.Empty() && clock.Now() < until) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void ExitGate::Register(RunHandle* handle) {
  const std::lock_guard lock(mutex_);
  handles_.push_back(handle);
}

void ExitGate::Unregister(RunHandle* handle) {
  const std::lock_guard lock(mutex_);
  std::erase(handles_, handle);
}

Status OpenOrtLibrary(const std::string& path, const OrtLibrary*& library) {
  static std::mutex mutex;
  static OrtLibrary* loaded = nullptr;  // never freed
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    auto fresh = std::make_unique<OrtLibrary>();
    MILLRACE_RETURN_IF_ERROR(Load(path, *fresh));
    loaded = fresh.release();
  }
  GuardExit(*loaded);
  if (loaded->path != path) {
    return {Code::kFailedPrecondition, "This process already uses the ONNX Runtime library " +
                                           loaded->path + ": it cannot load another"};
  }
  library = loaded;
  return {};
}

Status FromOrt(const OrtApi& api, OrtStatus* status, Code code) {
  if (status == nullptr) return {};
  std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  return {code, std::move(message)};
}

Status FromRun(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) return {};
  const bool refused = api.GetErrorCode(status) == ORT_INVALID_ARGUMENT;
  return FromOrt(api, status, refused ? Code::kInvalidArgument : Code::kInternal);
}

}  // namespace millrace
