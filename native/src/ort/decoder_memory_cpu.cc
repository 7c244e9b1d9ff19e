#include <cstdlib>
#include <cstring>

#include "ort/decoder_memory.h"

namespace millrace {
namespace {

class CpuMemory final : public DecoderMemory {
 public:
  explicit CpuMemory(OrtMemoryInfoPtr info) : info_(std::move(info)) {}

  const OrtMemoryInfo* info() const noexcept override { return info_.get(); }
  bool on_cpu() const noexcept override { return true; }

  Status Allocate(size_t bytes, std::byte*& memory) override {
    // A line of the cache, and what the widest vector instructions read at a time.
    constexpr size_t kAlignment = 64;
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
    if (memory != nullptr) return {};
    return {Code::kResourceExhausted, "There is no memory for " + std::to_string(bytes) + " bytes of keys and values: "
                                      "lower cacheBytes"};
  }
  void Free(std::byte* memory) noexcept override { std::free(memory); }

  Status Copy(const Box& target, const Box& source, const BoxSize& size) override {
    for (size_t slice = 0; slice < size.depth; ++slice) {
      std::byte* const to = target.data + slice * target.rows * target.pitch;
      const std::byte* const from = source.data + slice * source.rows * source.pitch;
      if (size.width == target.pitch && size.width == source.pitch) {
        std::memcpy(to, from, size.width * size.height);
        continue;
      }
      for (size_t row = 0; row < size.height; ++row) {
        std::memcpy(to + row * target.pitch, from + row * source.pitch, size.width);
      }
    }
    return {};
  }

  Status Clear(const Box& target, const BoxSize& size) override {
    for (size_t slice = 0; slice < size.depth; ++slice) {
      std::byte* const to = target.data + slice * target.rows * target.pitch;
      for (size_t row = 0; row < size.height; ++row) std::memset(to + row * target.pitch, 0, size.width);
    }
    return {};
  }

  Status Read(const Box& source, const BoxSize& size, const std::byte*& data) override {
    if (size.height == 1 || source.pitch == size.width) {
      data = source.data;
      return {};
    }
    read_.resize(size.bytes());
    data = read_.data();
    return Copy({read_.data(), size.width, size.height}, source, size);
  }

 private:
  const OrtMemoryInfoPtr info_;
  std::vector<std::byte> read_;
};

}  // namespace

Status MakeCpuMemory(const OrtApi& api, std::unique_ptr<DecoderMemory>& memory) {
  OrtMemoryInfo* info = nullptr;
  MILLRACE_ORT(api, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &info), Code::kInternal);
  memory = std::make_unique<CpuMemory>(OrtMemoryInfoPtr(info, {&api}));
  return {};
}

}  // namespace millrace
