// Decoders on a real GPU: their logits are those of the CPU while rows join, leave and change their order.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gpu_model.h"
#include "ort/decoder_load.h"

namespace millrace {
namespace {

DecoderOptions OptionsFor(const std::string& model, const std::string& device) {
  const std::string folder = MILLRACE_TEST_TEXT + model + "/onnx/";
  DecoderOptions options;
  options.device.device = device;
  if (device != "cpu") options.device.options = {{"tf32", "false"}};
  options.decoder.path = folder + (model == "t5" ? "decoder_model_merged.onnx" : "model.onnx");
  if (model == "t5") options.encoder.path = folder + "encoder_model.onnx";
  return options;
}

// Some sequences on one device. Each step reads the tokens that it is told, so that both devices see the same.
class Sequences {
 public:
  Status Load(const OrtLibrary& library, const std::string& model, const std::string& device) {
    MILLRACE_RETURN_IF_ERROR(LoadDecoder(library, OptionsFor(model, device), decoder));
    handle_ = decoder->NewHandle();
    return {};
  }

  // Starts a sequence and returns the logits after its first step.
  Status Start(const std::vector<int32_t>& prompt, std::vector<float>& logits) {
    DecoderRow& row = rows.emplace_back();
    const int32_t start = 0;
    row.tokens = prompt;
    if (decoder->facts().encoder_decoder) {
      const std::span<const int32_t> texts[] = {prompt};
      MILLRACE_RETURN_IF_ERROR(decoder->Encode(texts, *handle_, {&row.encoded, 1}));
      row.tokens = {&start, 1};
    }
    return Step({&row, 1}, logits);
  }
  // Runs the sequences in this order, each with one token.
  Status Next(const std::vector<size_t>& order, int32_t token, std::vector<float>& logits) {
    std::vector<DecoderRow> own;
    for (const size_t i : order) own.push_back(std::move(rows[i]));
    for (DecoderRow& row : own) row.tokens = {&token, 1};
    MILLRACE_RETURN_IF_ERROR(Step(own, logits));
    for (size_t i = 0; i < order.size(); ++i) rows[order[i]] = std::move(own[i]);
    return {};
  }

  std::unique_ptr<LoadedDecoder> decoder;
  std::vector<DecoderRow> rows;

 private:
  Status Step(std::span<DecoderRow> own, std::vector<float>& logits) {
    std::span<const float> seen;
    MILLRACE_RETURN_IF_ERROR(decoder->Step(own, *handle_, seen));
    logits.assign(seen.begin(), seen.end());
    return {};
  }

  std::unique_ptr<RunHandle> handle_;
};

class GpuDecoderTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    Status status = gpu::OpenLibrary(library);
    if (status.ok()) status = gpu.Load(*library, GetParam(), "cuda");
    if (status.code() == Code::kFailedPrecondition) GTEST_SKIP() << status.message();
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(cpu.Load(*library, GetParam(), "cpu").ok());
  }
  void ExpectAlike() {
    ASSERT_EQ(on_gpu.size(), on_cpu.size());
    for (size_t i = 0; i < on_cpu.size(); ++i) ASSERT_NEAR(on_gpu[i], on_cpu[i], 2e-3) << i;
  }

  const OrtLibrary* library = nullptr;
  Sequences gpu;
  Sequences cpu;
  std::vector<float> on_gpu;
  std::vector<float> on_cpu;
};

TEST_P(GpuDecoderTest, LogitsAreThoseOfTheCpuInAnyCompany) {
  EXPECT_EQ(gpu.decoder->facts().mixed_lengths, cpu.decoder->facts().mixed_lengths);
  EXPECT_EQ(gpu.decoder->facts().chunks, cpu.decoder->facts().chunks);
  for (const auto& prompt : std::vector<std::vector<int32_t>>{{5, 6, 7, 8, 9}, {10, 11}, {12, 13, 14}}) {
    ASSERT_TRUE(gpu.Start(prompt, on_gpu).ok());
    ASSERT_TRUE(cpu.Start(prompt, on_cpu).ok());
    ExpectAlike();
  }
  int32_t token = 20;
  for (const std::vector<size_t>& order :
       std::vector<std::vector<size_t>>{{0, 1, 2}, {0, 1, 2}, {2, 0, 1}, {2, 0}, {0, 2}, {1}, {1, 0}}) {
    const Status status = gpu.Next(order, ++token, on_gpu);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(cpu.Next(order, token, on_cpu).ok());
    ExpectAlike();
  }
}

TEST_P(GpuDecoderTest, RowsThatStayTogetherAreNotCopied) {
  ASSERT_TRUE(gpu.Start({5, 6, 7, 8, 9}, on_gpu).ok());
  const CopyCounters before = gpu.decoder->copies();
  for (int32_t step = 0; step < 5; ++step) {
    ASSERT_TRUE(gpu.Next({0}, 20 + step, on_gpu).ok());
  }
  const CopyCounters after = gpu.decoder->copies();
  EXPECT_EQ(after.reused - before.reused, 5u);
  EXPECT_EQ(after.gathered_bytes, before.gathered_bytes);
  EXPECT_EQ(after.device_to_host_bytes - before.device_to_host_bytes, 5 * on_gpu.size() * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuDecoderTest, testing::Values("gpt2", "llama", "t5"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace millrace
