#include "ort/run_handle.h"

#include <string>
#include <utility>

#include "ort/messages.h"

namespace millrace {

OrtRunHandle::OrtRunHandle(const OrtApi& api, ExitGate& gate) : api_(api), gate_(gate) {
  OrtRunOptions* options = nullptr;
  created_ = FromOrt(api_, api_.CreateRunOptions(&options), Code::kInternal);
  options_ = OrtRunOptionsPtr(options, {&api_});
  gate_.Register(this);
}

OrtRunHandle::~OrtRunHandle() { gate_.Unregister(this); }

Status OrtRunHandle::Configure(const char* key, const std::string& value) {
  MILLRACE_RETURN_IF_ERROR(created_);
  return FromOrt(api_, api_.AddRunConfigEntry(options_.get(), key, value.c_str()), Code::kInternal);
}

Status OrtRunHandle::Begin() {
  MILLRACE_RETURN_IF_ERROR(created_);
  const std::lock_guard lock(mutex_);
  if (!std::exchange(terminated_, false)) return {};
  return FromOrt(api_, api_.RunOptionsUnsetTerminate(options_.get()), Code::kInternal);
}

void OrtRunHandle::Terminate() noexcept {
  if (!created_.ok()) return;
  const std::lock_guard lock(mutex_);
  terminated_ = true;
  FromOrt(api_, api_.RunOptionsSetTerminate(options_.get()), Code::kInternal).ok();
}

bool OrtRunHandle::terminated() const noexcept {
  const std::lock_guard lock(mutex_);
  return terminated_;
}

Status OrtRunHandle::Explain(Status status) const {
  if (status.ok()) return status;
  if (terminated()) {
    return {Code::kDeadlineExceeded, "The run was ended: it took longer than a run may"};
  }
  return ExplainRun(status.message(), status.code() == Code::kInvalidArgument);
}

}  // namespace millrace
