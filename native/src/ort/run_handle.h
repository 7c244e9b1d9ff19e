// ONNX Runtime's run options as a handle by which a run can be ended.
#pragma once

#include <mutex>

#include "ort/api.h"

namespace millrace {

// Reused from run to run: making run options costs as much as a small model.
class OrtRunHandle final : public RunHandle {
 public:
  OrtRunHandle(const OrtApi& api, ExitGate& gate);
  ~OrtRunHandle() override;

  // Sets an entry for all runs to come. Each key once.
  Status Configure(const char* key, const std::string& value);

  // Starts a run: forgets an earlier termination.
  Status Begin();
  void Terminate() noexcept override;

  bool terminated() const noexcept;
  const OrtRunOptions* options() const noexcept { return options_.get(); }

  // What a run said, with the code it deserves: kDeadlineExceeded if it was ended, else as ExplainRun.
  Status Explain(Status status) const;

 private:
  const OrtApi& api_;
  ExitGate& gate_;
  Status created_;
  OrtRunOptionsPtr options_;
  // Held while ONNX Runtime's own flag is changed, so that the two always agree: one that stayed set
  // there alone would end every run to come.
  mutable std::mutex mutex_;
  bool terminated_ = false;  // guarded by mutex_
};

}  // namespace millrace
