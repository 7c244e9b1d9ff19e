// What is compared while a model is loaded onto a GPU: runs on the device's memory with one on the CPU's.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "support/device_model.h"

namespace millrace {
namespace {

using test::Inputs;
using test::MakeShape;
using test::TestLibrary;
using test::ValuesOf;

// Of values that are bound in place of others. They live as long as a test, since bindings may use them.
std::vector<OrtValue*> copies;

// A copy, in memory of ONNX Runtime's own, of a float32 tensor of two dimensions.
OrtStatus* Copy(const OrtValue* value, OrtValue*& copy) noexcept {
  const OrtApi& api = *TestLibrary().api;
  OrtAllocator* allocator = nullptr;
  OrtTensorTypeAndShapeInfo* info = nullptr;
  void* from = nullptr;
  void* to = nullptr;
  std::array<int64_t, 2> dims{};
  if (OrtStatus* status = api.GetAllocatorWithDefaultOptions(&allocator)) return status;
  if (OrtStatus* status = api.GetTensorTypeAndShape(value, &info)) return status;
  OrtStatus* const measured = api.GetDimensions(info, dims.data(), dims.size());
  api.ReleaseTensorTypeAndShapeInfo(info);
  if (measured != nullptr) return measured;
  if (OrtStatus* status = api.CreateTensorAsOrtValue(allocator, dims.data(), dims.size(),
                                                     ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &copy)) {
    return status;
  }
  copies.push_back(copy);
  if (OrtStatus* status = api.GetTensorMutableData(const_cast<OrtValue*>(value), &from)) return status;
  if (OrtStatus* status = api.GetTensorMutableData(copy, &to)) return status;
  std::memcpy(to, from, static_cast<size_t>(dims[0] * dims[1]) * sizeof(float));
  return nullptr;
}

class DeviceCheckTest : public test::DeviceTest {
 protected:
  DeviceCheckTest() { UseRows({1}, 2); }
  ~DeviceCheckTest() override {
    session.reset();
    for (OrtValue* copy : copies) api.ReleaseValue(copy);
    copies.clear();
  }
  Status LoadIdentity() {
    options.path = test::ModelPath("poison");
    library.api = &api;
    return DeviceSession::Load(library, options, {DeviceKind::kCuda, 0}, session);
  }
  void ExpectIdentity() {
    const std::unique_ptr<RunHandle> handle = session->NewHandle();
    for (const float value : {3.0F, 7.0F}) {
      Inputs inputs;
      inputs.Floats(MakeShape({1, 2}), {value, -value});
      OutputRef outputs;
      ASSERT_TRUE(session->Run(inputs.views(), *handle, outputs).ok());
      EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (std::vector<float>{value, -value}));
    }
  }

  // Changed by the tests.
  OrtApi api = *TestLibrary().api;
  OrtLibrary library = TestLibrary();
};

TEST_F(DeviceCheckTest, InputsStayBoundWhereTheOutputsAreEqual) {
  ASSERT_TRUE(LoadIdentity().ok());
  EXPECT_FALSE(Notes("bound in each run"));
  ExpectIdentity();
}

// As ONNX Runtime treats an input that a node on the CPU reads: the copy that it makes while binding is what
// every run sees.
TEST_F(DeviceCheckTest, InputsThatTheCpuReadsAreThoseOfTheirRun) {
  api.BindInput = [](OrtIoBinding* binding, const char* name,
                     const OrtValue* value) noexcept -> OrtStatus* {
    OrtValue* copy = nullptr;
    if (OrtStatus* status = Copy(value, copy)) return status;
    return TestLibrary().api->BindInput(binding, name, copy);
  };
  ASSERT_TRUE(LoadIdentity().ok());
  EXPECT_TRUE(Notes("bound in each run"));
  ExpectIdentity();
}

TEST_F(DeviceCheckTest, AProviderThatUsesAnotherStreamThanItIsGivenGetsItsInputsInTime) {
  provider.ignores_stream = true;
  ASSERT_TRUE(LoadIdentity().ok());
  EXPECT_TRUE(Notes("bound in each run"));
  ExpectIdentity();
}

TEST_F(DeviceCheckTest, AModelWhoseOutputsNeverReachTheirBuffersIsRefused) {
  api.BindOutput = [](OrtIoBinding* binding, const char* name,
                      const OrtValue* value) noexcept -> OrtStatus* {
    OrtValue* copy = nullptr;
    if (OrtStatus* status = Copy(value, copy)) return status;
    return TestLibrary().api->BindOutput(binding, name, copy);
  };
  const Status status = LoadIdentity();
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_NE(status.message().find("differ between memory of the device and the CPU's"),
            std::string::npos)
      << status.message();
  EXPECT_EQ(session, nullptr);
}

}  // namespace
}  // namespace millrace
