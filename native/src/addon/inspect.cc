#include "addon/inspect.h"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <new>
#include <utility>

#include "addon/js_thread.h"
#include "addon/convert.h"
#include "addon/core.h"
#include "addon/model.h"
#include "addon/start_thread.h"

namespace millrace {
namespace {

// The coarsest resolution of times in file systems, in nanoseconds. A file that was written more recently may change
// again without a change of its time.
constexpr int64_t kTooRecent = 2'000'000'000;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Returns the inodes, sizes and times of the files, some of which change if a file changes. It is empty if a file
// cannot be read, or has changed so recently that another change could be missed.
std::vector<int64_t> StampOf(const std::string& path, const std::vector<std::string>& external) {
  std::vector<std::string> files = {path};
  for (const std::string& name : external) {
    files.push_back((std::filesystem::path(path).parent_path() / name).string());
  }
  const auto now = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  std::vector<int64_t> stamp;
  for (const std::string& file : files) {
    struct stat about {};
    if (stat(file.c_str(), &about) != 0 || now - Nanoseconds(about.st_ctim) < kTooRecent) return {};
    stamp.insert(stamp.end(),
                 {static_cast<int64_t>(about.st_dev), static_cast<int64_t>(about.st_ino),
                  int64_t{about.st_size}, Nanoseconds(about.st_mtim), Nanoseconds(about.st_ctim)});
  }
  return stamp;
}

struct Inspection {
  std::string path;
  std::string bytes;
  ModelFacts facts;
  Status status;
};

void Run(Core& core, Inspection& inspection) {
  try {
    inspection.status = inspection.path.empty()
                            ? InspectBytes(inspection.bytes, inspection.facts)
                            : core.inspector.Inspect(inspection.path, inspection.facts);
  } catch (const std::bad_alloc&) {
    inspection.status = Status::Of(Code::kResourceExhausted, "Out of memory while reading the model");
  } catch (const std::exception&) {
    inspection.status = Status::Of(Code::kInternal, "The model's files cannot be read");
  }
}

// inspect(path | bytes): Promise<NativeFacts>
// Reads the files of a model on another thread.
Napi::Value JS_inspect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto thread = *static_cast<const std::shared_ptr<JsThread>*>(info.Data());
  const auto deferred = Napi::Promise::Deferred::New(env);
  auto inspection = std::make_shared<Inspection>();
  if (info[0].IsString()) {
    inspection->path = info[0].As<Napi::String>().Utf8Value();
  } else if (info[0].IsTypedArray()) {
    const auto array = info[0].As<Napi::Uint8Array>();
    inspection->bytes.assign(reinterpret_cast<const char*>(array.Data()), array.ByteLength());
  }
  const auto settle = [thread, deferred, inspection](napi_env raw) {
    thread->Unhold();
    const Napi::Env own(raw);
    if (!inspection->status.ok()) {
      Napi::Error error = Napi::Error::New(own, inspection->status.message());
      error.Set("code", CodeName(inspection->status.code()));
      deferred.Reject(error.Value());
      return;
    }
    Napi::Object facts = Napi::Object::New(own);
    facts.Set("digest", inspection->facts.digest);
    const GraphFacts& graph = inspection->facts.graph;
    facts.Set("controlFlow", Napi::Boolean::New(own, graph.control_flow));
    facts.Set("inputs", ToArray(own, graph.signature.inputs));
    facts.Set("outputs", ToArray(own, graph.signature.outputs));
    Napi::Object metadata = Napi::Object::New(own);
    for (const auto& [key, value] : graph.metadata) metadata.Set(key, value);
    facts.Set("metadata", metadata);
    deferred.Resolve(facts);
  };
  auto settled = std::make_unique<JsThread::Event>(settle);
  thread->Hold();
  if (!StartThread([thread, inspection, settled = std::move(settled)]() mutable {
        Run(thread->core, *inspection);
        thread->Post(std::move(settled));
      })) {
    inspection->status =
        Status::Of(Code::kResourceExhausted, "The system starts no more threads: load fewer models at once");
    settle(env);
  }
  return deferred.Promise();
}

}  // namespace

Status ModelInspector::Inspect(const std::string& path, ModelFacts& facts) {
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Entry>& known = entries_[path];
    if (known == nullptr) known = std::make_shared<Entry>();
    entry = known;
  }
  const std::lock_guard lock(entry->reading);
  const std::vector<int64_t> before = StampOf(path, entry->facts.graph.external);
  if (!before.empty() && before == entry->stamp) {
    facts = entry->facts;
    return {};
  }
  entry->stamp.clear();
  MILLRACE_RETURN_IF_ERROR(InspectFile(path, entry->facts));
  facts = entry->facts;
  // If the stamp is the same before and after, it belongs to what was read.
  if (before == StampOf(path, facts.graph.external)) entry->stamp = before;
  return {};
}

void AddInspect(Napi::Env env, Napi::Object engine, std::shared_ptr<JsThread>* thread) {
  engine.Set("inspect", Napi::Function::New(env, JS_guarded<JS_inspect>, "inspect", thread));
}

}  // namespace millrace
