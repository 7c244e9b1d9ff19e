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

// Keeps process exit and ONNX Runtime apart: its static objects are destroyed at exit, and a thread
// inside the library at that moment would crash the process.
//
// Every stretch of calls into the library that may outlast a JavaScript turn runs while the gate is
// held. At exit the gate closes: nobody gets in any more, and exit waits a bounded time for those
// inside. Thread-safe. Enter, Leave and closed are lock-free, since each run takes them.
class ExitGate {
 public:
  // False once the process is exiting.
  bool Enter() noexcept { return inside_.Enter(); }
  void Leave() noexcept { inside_.Leave(); }
  // Whether the process is exiting.
  bool closed() const noexcept { return inside_.closed(); }

  // Terminates the registered runs, then waits until everybody has left.
  void CloseAndWait(Nanos limit) noexcept;

  // Runs that are cut short when the gate closes.
  void Register(RunHandle* handle);
  void Unregister(RunHandle* handle);

 private:
  OpenCount<> inside_;
  std::mutex mutex_;
  std::vector<RunHandle*> handles_;  // guarded by mutex_
};

// Holds the gate for a scope.
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

// ONNX Runtime as loaded into this process. There is one and it is never unloaded: the library keeps
// threads and static objects of its own.
struct OrtLibrary {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  std::string path;
  std::string version;
  std::vector<std::string> providers;
  ExitGate* gate = nullptr;
};

// Loads the library on the first call; later calls with the same path get the same object, and with
// another path kFailedPrecondition, because a process can hold only one ONNX Runtime. Thread-safe.
Status OpenOrtLibrary(const std::string& path, const OrtLibrary*& library);

// Takes over `status`, which may be null. ONNX Runtime's message is kept and `code` replaces its own
// coarse one.
Status FromOrt(const OrtApi& api, OrtStatus* status, Code code);
// The same of a run, for OrtRunHandle::Explain: kInvalidArgument where ONNX Runtime says so, else
// kInternal.
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
