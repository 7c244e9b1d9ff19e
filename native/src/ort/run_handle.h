// ONNX Runtime's run options as a handle with which a run can be terminated.
#pragma once

#include <mutex>

#include "ort/api.h"

namespace millrace {

// It is used for all runs of a worker, because making run options takes as long as a run of a small model.
class OrtRunHandle final : public RunHandle {
 public:
  OrtRunHandle(const OrtApi& api, ExitGate& gate);
  ~OrtRunHandle() override;

  // Sets an entry for all later runs. Each key may be set once.
  Status Configure(const char* key, const std::string& value);

  // Starts a run, and clears an earlier termination.
  Status Begin();
  void Terminate() noexcept override;

  bool terminated() const noexcept;
  const OrtRunOptions* options() const noexcept { return options_.get(); }

  // Returns the status of a run with its code: kDeadlineExceeded if it was terminated, otherwise that of ExplainRun.
  Status Explain(Status status) const;

 private:
  const OrtApi& api_;
  ExitGate& gate_;
  Status created_;
  OrtRunOptionsPtr options_;
  // Held while ONNX Runtime's own flag is changed, so that the two always agree. A flag that was set only there would
  // terminate every later run.
  mutable std::mutex mutex_;
  bool terminated_ = false;  // guarded by mutex_
};

}  // namespace millrace
