// Pixels that become planes while a batch is gathered.
#include "codec/pixel_input.h"

#include <gtest/gtest.h>

#include "batching/batch.h"
#include "support/executors.h"

namespace millrace {
namespace {

TensorSpec Planes(int64_t channels = 3) {
  return {"image", ElementType::kFloat32, {-1, channels, -1, -1}, {"N", "", "height", "width"}};
}

PixelForm Form(size_t channels = 3) {
  return {"image", 1.0F / 255, std::vector<float>(channels, 0.5F), std::vector<float>(channels, 0.25F)};
}

TEST(PixelInput, TheSignatureChangesFromPlanesToPixels) {
  TensorSpec spec = Planes(-1);
  std::unique_ptr<const InputMap> map;
  ASSERT_TRUE(MakePixelInput(Form(), spec, map).ok());
  EXPECT_EQ(spec.type, ElementType::kUint8);
  EXPECT_EQ(spec.dims, (std::vector<int64_t>{-1, -1, -1, 3}));
  EXPECT_EQ(spec.symbols, (std::vector<std::string>{"N", "height", "width", ""}));
  EXPECT_EQ(map->type(), ElementType::kFloat32);
  EXPECT_EQ(map->ModelShape(test::MakeShape({2, 5, 7, 3})), test::MakeShape({2, 3, 5, 7}));
  EXPECT_EQ(map->ModelShape(test::MakeShape({5, 7, 3})), test::MakeShape({3, 5, 7}));
}

TEST(PixelInput, RefusesInputsThatDoNotFit) {
  std::unique_ptr<const InputMap> map;
  const auto refused = [&map](const PixelForm& form, TensorSpec spec) {
    return MakePixelInput(form, spec, map).code() == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused(Form(4), Planes(3)));
  EXPECT_TRUE(refused(Form(5), Planes(-1)));
  EXPECT_TRUE(refused(Form(0), Planes(-1)));
  PixelForm zero = Form();
  zero.deviation[1] = 0;
  EXPECT_TRUE(refused(zero, Planes()));
  TensorSpec half = Planes();
  half.type = ElementType::kFloat16;
  EXPECT_TRUE(refused(Form(), half));
  EXPECT_TRUE(refused(Form(), {"x", ElementType::kFloat32, {-1, 3}, {"", ""}}));
}

TEST(PixelInput, ABatchOfPixelsBecomesABatchOfPlanes) {
  TensorSpec spec = Planes();
  InputMaps maps(1);
  PixelForm form = Form();
  form.reverse = true;
  ASSERT_TRUE(MakePixelInput(form, spec, maps[0]).ok());
  test::Requests requests;
  std::vector<Request*> batch;
  for (const int64_t rows : {1, 0, 2}) {
    Request* const request = batch.emplace_back(requests.Make(0, rows));
    std::vector<uint8_t> pixels(static_cast<size_t>(rows) * 2 * 4 * 3);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7 + batch.size());
    test::SetInput(*request, 0, ElementType::kUint8, test::MakeShape({rows, 2, 4, 3}), pixels);
  }
  test::FunctionExecutor model([](auto inputs, test::OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].type, ElementType::kFloat32);
    EXPECT_EQ(inputs[0].shape, test::MakeShape({3, 3, 2, 4}));
    return test::Double(inputs, outputs);
  });
  const SteadyClock clock;
  const auto handle = model.NewHandle();
  Staging staging;
  RunBatch(batch, {model, *handle, staging, clock, true, nullptr, &maps});
  for (const Request* request : batch) {
    ASSERT_TRUE(request->status.ok()) << request->status.message();
    const auto pixels = test::ValuesOf<uint8_t>(request->inputs[0].view);
    const auto output = test::OutputOf(*request, 0, 24);
    for (size_t i = 0; i < output.size(); ++i) {
      const size_t row = i / 24;
      const size_t channel = 2 - i % 24 / 8;
      const float byte = pixels[row * 24 + i % 8 * 3 + channel];
      EXPECT_NEAR(output[i], 2 * (byte / 255 - 0.5F) / 0.25F, 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace millrace
