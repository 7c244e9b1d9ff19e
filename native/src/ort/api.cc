#include "ort/api.h"

#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace millrace {
namespace {

// "1.30.0" -> 30. The minor number is also the newest API version a library offers.
int MinorVersion(const std::string& version) {
  const size_t dot = version.find('.');
  return dot == std::string::npos ? 0 : std::atoi(version.c_str() + dot + 1);
}

// ONNX Runtime prints errors it also returns; the returned ones are enough.
void ORT_API_CALL Discard(void*, OrtLoggingLevel, const char*, const char*, const char*,
                          const char*) {}

// Destroyed never, like the library it guards.
ExitGate& Gate() {
  static ExitGate* const gate = new ExitGate;
  return *gate;
}

// Long enough for any node but a pathological one; exit must not hang on that.
constexpr Nanos kExitLimit = 2'000'000'000;

// The first thread of a process, which is the one that ends it.
bool OnFirstThread() noexcept { return gettid() == getpid(); }

// Closes the gate where exit begins. ONNX Runtime makes static objects while it works, and exit
// destroys them before it calls a handler that was registered earlier; but before all of that it
// destroys the thread-local objects of the thread that calls it.
class ExitGuard {
 public:
  ~ExitGuard() {
    if (OnFirstThread()) Gate().CloseAndWait(kExitLimit);
  }
};

// y = Identity(x) of one number, as an ONNX file.
constexpr unsigned char kSmallestModel[] = {
    8,   8,  58, 47, 10, 16, 10, 1, 120, 18, 1,  121, 34, 8,  73, 100, 101, 110, 116,
    105, 116, 121, 18, 1, 103, 90, 11, 10, 1, 120, 18, 6, 10, 4, 8, 1, 18, 0, 98, 11,
    10,  1,  121, 18, 6, 10, 4, 8, 1, 18, 0, 66, 2, 16, 17};

// Makes the library build the registries it keeps in static objects: a few milliseconds.
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

// Called on each thread that opens an engine. Where the first thread opens none, a handler has to do,
// registered when the library has made the objects that must outlast its use.
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
  // Read by the library when it is loaded or when the environment is made. A model file must not set
  // session options of its own.
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
  // Asked first, because asking for a version it lacks makes the library print to stderr.
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
  // The process is at its end: a short sleep costs less than a lock for each run would.
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
