// A model as ONNX Runtime runs it.
#pragma once

#include <string>
#include <vector>

#include "batching/executor.h"
#include "ort/api.h"

namespace millrace {

struct SessionOptions {
  // Exactly one of the two. External data is looked up beside `path`.
  std::string path;
  std::span<const std::byte> bytes;
  // Threads inside one run, at least 1.
  int intra_op_threads = 1;
};

// One ONNX Runtime session, shared by all lanes of a model: its weights exist once.
class Session final : public Executor {
 public:
  // Reads and optimises the model: seconds for a large one. kInvalidArgument if the file is not a
  // model this library can run, kUnimplemented if an input or output has no JavaScript form.
  static Status Load(const OrtLibrary& library, const SessionOptions& options,
                     std::unique_ptr<Session>& session);

  // Releases the session, unless the process is exiting.
  ~Session() override;

  const Signature& signature() const noexcept { return signature_; }

  std::unique_ptr<RunHandle> NewHandle() override;
  Status Run(std::span<const TensorView> inputs, RunHandle& handle, OutputRef& outputs) override;

 private:
  explicit Session(const OrtLibrary& library);
  Status ReadSignature();
  Status ReadSpecs(size_t count, bool inputs, std::vector<TensorSpec>& specs);
  Status MakeInput(const TensorView& view, OrtValuePtr& value) const;

  const OrtApi& api_;
  ExitGate& gate_;
  OrtSessionPtr session_;
  OrtMemoryInfoPtr cpu_;
  Signature signature_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace millrace
