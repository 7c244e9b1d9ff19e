#include <utility>

#include "ort/decoder_memory.h"

namespace millrace {
namespace {

// Everything is queued on the stream of the runs, which keeps the order.
class CudaMemory final : public DecoderMemory {
 public:
  CudaMemory(std::unique_ptr<DeviceContext> context, CudaEventPtr done)
      : context_(std::move(context)), done_(std::move(done)) {}

  ~CudaMemory() override {
    const GatePass pass(context_->gate);
    if (pass) return;
    // At exit the driver may already be unloaded, so these objects are left to the operating system.
    static_cast<void>(done_.release());
    static_cast<void>(context_->copy_in.release());
    static_cast<void>(context_->compute.release());
    static_cast<void>(context_->copy_out.release());
    static_cast<void>(context_->memory.release());
  }

  const OrtMemoryInfo* info() const noexcept override { return context_->memory.get(); }
  bool on_cpu() const noexcept override { return false; }

  Status Allocate(size_t bytes, std::byte*& memory) override {
    MILLRACE_RETURN_IF_ERROR(Use());
    void* raw = nullptr;
    const CudaError error = context_->cuda.Malloc(&raw, bytes);
    MILLRACE_RETURN_IF_ERROR(context_->Check(error, "allocate memory for keys and values"));
    memory = static_cast<std::byte*>(raw);
    return {};
  }
  void Free(std::byte* memory) noexcept override { static_cast<void>(context_->cuda.Free(memory)); }

  Status Copy(const Box& target, const Box& source, const BoxSize& size) override {
    return CopyBox(target, source, size, CudaCopy::kOnDevice, "copy keys and values");
  }

  Status Clear(const Box& target, const BoxSize& size) override {
    return context_->Check(context_->cuda.Memset3DAsync(Pitched(target, size), 0, {size.width, size.height, size.depth},
                                                        context_->compute.get()),
                           "clear keys and values");
  }

  Status Read(const Box& source, const BoxSize& size, const std::byte*& data) override {
    if (size.bytes() > read_bytes_) {
      // The old block goes back to the pool first, so that there is never memory for both.
      read_ = {};
      read_bytes_ = 0;
      read_ = PinnedBlock(context_->pinned, size.bytes());
      if (read_.data() == nullptr) {
        return {Code::kResourceExhausted, "Out of pinned memory for the logits: use fewer rows"};
      }
      read_bytes_ = size.bytes();
    }
    MILLRACE_RETURN_IF_ERROR(CopyBox({read_.data(), size.width, size.height}, source, size, CudaCopy::kToHost,
                                     "copy the logits from the GPU"));
    MILLRACE_RETURN_IF_ERROR(Finish());
    data = read_.data();
    return {};
  }

  Status Finish() override {
    // The event puts the thread to sleep; waiting for the stream would occupy a core.
    const CudaRuntime& cuda = context_->cuda;
    MILLRACE_RETURN_IF_ERROR(
        context_->Check(cuda.EventRecord(done_.get(), context_->compute.get()), "order the copies from the GPU"));
    return context_->Check(cuda.EventSynchronize(done_.get()), "finish a run");
  }

  Status Use() override {
    if (!healthy()) return DeviceContext::LostStatus();
    return context_->Check(UseDevice(context_->cuda, context_->index), "select the GPU");
  }
  Status Note(Status status) override { return context_->Note(std::move(status)); }
  bool healthy() const noexcept override { return !context_->lost.load(std::memory_order_relaxed); }

 private:
  static CudaPitched Pitched(const Box& box, const BoxSize& size) noexcept {
    return {box.data, box.pitch, size.width, box.rows};
  }

  Status CopyBox(const Box& target, const Box& source, const BoxSize& size, CudaCopy kind, const char* action) {
    CudaCopy3D copy;
    copy.source = Pitched(source, size);
    copy.target = Pitched(target, size);
    copy.extent = {size.width, size.height, size.depth};
    copy.kind = kind;
    return context_->Check(context_->cuda.Memcpy3DAsync(&copy, context_->compute.get()), action);
  }

  const std::unique_ptr<DeviceContext> context_;
  CudaEventPtr done_;
  PinnedBlock read_;
  size_t read_bytes_ = 0;
};

}  // namespace

Status MakeCudaMemory(std::unique_ptr<DeviceContext> context, std::unique_ptr<DecoderMemory>& memory) {
  CudaEventPtr done;
  MILLRACE_RETURN_IF_ERROR(MakeEvent(context->cuda, done));
  memory = std::make_unique<CudaMemory>(std::move(context), std::move(done));
  return {};
}

}  // namespace millrace
