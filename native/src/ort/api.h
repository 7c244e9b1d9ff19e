// Finds ONNX Runtime at run time and turns its errors into Status.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "batching/open_count.h"
#include "batching/status.h"

namespace millrace {

// Keeps threads out of ONNX Runtime while the process exits: the library's static objects are destroyed then, and a
// thread inside the library would crash the process.
//
// A thread holds the gate during calls into the library that may outlast a turn of the event loop. At exit the gate
// closes: no thread can enter any more, and exit waits a bounded time for the threads inside. Thread-safe. Enter, Leave
// and closed are lock-free, since each run calls them.
class ExitGate {
 public:
  // Returns false once the process is exiting.
  bool Enter() noexcept { return inside_.Enter(); }
  void Leave() noexcept { inside_.Leave(); }
  // Returns whether the process is exiting.
  bool closed() const noexcept { return inside_.closed(); }

  // Closes the gate and terminates the registered runs, then waits until all threads have left, but at most `limit`.
  void CloseAndWait(Nanos limit) noexcept;

  // Adds or removes a run that is terminated when the gate closes.
  void Register(RunHandle* handle);
  void Unregister(RunHandle* handle);

 private:
  OpenCount<> inside_;
  std::mutex mutex_;
  std::vector<RunHandle*> handles_;  // guarded by mutex_
};

// Holds the gate for a scope, unless the process is exiting; it then converts to false.
class GatePass {
 public:
  explicit GatePass(ExitGate& gate) : gate_(gate), entered_(gate.Enter()) {}
  ~GatePass() {
    if (entered_) gate_.Leave();
  }
  GatePass(const GatePass&) = delete;
  GatePass& operator=(const GatePass&) = delete;
  explicit operator bool() const noexcept { return entered_; }

 private:
  ExitGate& gate_;
  const bool entered_;
};

// The ONNX Runtime library of this process. There is only one, and it is never unloaded, because it keeps threads and
// static objects of its own.
struct OrtLibrary {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  std::string path;
  std::string version;
  std::vector<std::string> providers;
  ExitGate* gate = nullptr;
};

// Loads the library on the first call. Later calls with the same path return the same object, and with another path
// kFailedPrecondition, because a process can hold only one ONNX Runtime. Thread-safe.
Status OpenOrtLibrary(const std::string& path, const OrtLibrary*& library);

// Converts `status`, which may be null, and frees it. The result has ONNX Runtime's message, and `code` in place of
// ONNX Runtime's coarse code.
Status FromOrt(const OrtApi& api, OrtStatus* status, Code code);
// Does the same for the status of a run, for OrtRunHandle::Explain. The code is kInvalidArgument if ONNX Runtime's code
// is ORT_INVALID_ARGUMENT, otherwise kInternal.
Status FromRun(const OrtApi& api, OrtStatus* status);

// Owns an ONNX Runtime object; Release is the member of OrtApi that frees it.
template <class T, void(ORT_API_CALL* OrtApi::* Release)(T*)>
struct OrtDeleter {
  const OrtApi* api = nullptr;
  void operator()(T* object) const noexcept { (api->*Release)(object); }
};

template <class T, void(ORT_API_CALL* OrtApi::* Release)(T*)>
using OrtPtr = std::unique_ptr<T, OrtDeleter<T, Release>>;

using OrtValuePtr = OrtPtr<OrtValue, &OrtApi::ReleaseValue>;
using OrtSessionPtr = OrtPtr<OrtSession, &OrtApi::ReleaseSession>;
using OrtSessionOptionsPtr = OrtPtr<OrtSessionOptions, &OrtApi::ReleaseSessionOptions>;
using OrtRunOptionsPtr = OrtPtr<OrtRunOptions, &OrtApi::ReleaseRunOptions>;
using OrtMemoryInfoPtr = OrtPtr<OrtMemoryInfo, &OrtApi::ReleaseMemoryInfo>;
using OrtIoBindingPtr = OrtPtr<OrtIoBinding, &OrtApi::ReleaseIoBinding>;
using OrtTypeInfoPtr = OrtPtr<OrtTypeInfo, &OrtApi::ReleaseTypeInfo>;
using OrtShapeInfoPtr = OrtPtr<OrtTensorTypeAndShapeInfo, &OrtApi::ReleaseTensorTypeAndShapeInfo>;

#define MILLRACE_ORT(api, call, code)                                          \
  do {                                                                         \
    if (OrtStatus* ort_status_ = (api).call; ort_status_ != nullptr)           \
      return ::millrace::FromOrt((api), ort_status_, (code));                  \
  } while (false)

}  // namespace millrace
