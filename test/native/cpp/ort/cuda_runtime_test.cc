// What the CUDA runtime says, in words.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "ort/cuda_runtime.h"
#include "ort/device_context.h"
#include "support/fake_cuda.h"

namespace millrace {
namespace {

using test::FakeCuda;

class CudaTest : public testing::Test {
 protected:
  CudaTest() { fake.Reset(2); }
  FakeCuda& fake = FakeCuda::Get();
  const CudaRuntime& cuda = FakeCuda::Table();
};

bool Says(const Status& status, const char* part) {
  return status.message().find(part) != std::string::npos;
}

TEST_F(CudaTest, CountsGpus) {
  int count = 0;
  ASSERT_TRUE(CountGpus(cuda, count).ok());
  EXPECT_EQ(count, 2);
}

TEST_F(CudaTest, SaysWhyThereIsNoGpu) {
  int count = 7;
  fake.Reset(0);
  EXPECT_TRUE(Says(CountGpus(cuda, count), "no GPU that CUDA can use"));
  EXPECT_EQ(count, 0);
  fake.Fail("GetDeviceCount", 100);
  EXPECT_TRUE(Says(CountGpus(cuda, count), "CUDA_VISIBLE_DEVICES"));
  fake.Fail("GetDeviceCount", 804);
  EXPECT_EQ(CountGpus(cuda, count).message(), "CUDA cannot be used: some error");
  EXPECT_EQ(CountGpus(cuda, count).code(), Code::kFailedPrecondition);
}

TEST_F(CudaTest, TellsADriverThatIsTooOldFromOneThatIsMissing) {
  int count = 0;
  fake.Fail("GetDeviceCount", 35);
  EXPECT_EQ(CountGpus(cuda, count).message(),
            "The NVIDIA driver is for CUDA 12.4, older than the runtime's 13.1: update the driver");
  fake.Fail("DriverGetVersion", 999);
  EXPECT_TRUE(Says(CountGpus(cuda, count), "There is no NVIDIA driver: install one for CUDA 13"));
}

TEST_F(CudaTest, ReadsWhatEnginesDependOn) {
  GpuInfo info;
  ASSERT_TRUE(ReadGpuInfo(cuda, 1, info).ok());
  EXPECT_EQ(info.name, "Fake GPU/9000");
  EXPECT_EQ(info.capability, 90);
  EXPECT_EQ(info.total_bytes, 2u);
  for (const char* function : {"GetDeviceProperties", "DeviceGetAttribute", "MemGetInfo"}) {
    fake.Reset(2);
    fake.Fail(function, 1);
    EXPECT_EQ(ReadGpuInfo(cuda, 0, info).code(), Code::kInternal) << function;
  }
  EXPECT_FALSE(ReadGpuInfo(cuda, 2, info).ok());
}

TEST_F(CudaTest, ErrorsHaveTheCodeTheyDeserve) {
  EXPECT_TRUE(FromCuda(cuda, 0, "copy").ok());
  EXPECT_EQ(FromCuda(cuda, 2, "copy").code(), Code::kResourceExhausted);
  EXPECT_EQ(FromCuda(cuda, 719, "copy").code(), Code::kUnavailable);
  EXPECT_EQ(FromCuda(cuda, 719, "copy").message(),
            "Cannot copy: the GPU is lost to this process (unspecified launch failure); restart it");
  EXPECT_EQ(FromCuda(cuda, 1, "copy").code(), Code::kInternal);
  for (const CudaError fatal : {214, 700, 709, 719}) EXPECT_TRUE(IsDeviceLost(fatal));
  for (const CudaError harmless : {0, 1, 2, 100, 600, 901}) EXPECT_FALSE(IsDeviceLost(harmless));
}

TEST_F(CudaTest, EveryStepOfOpeningADeviceMayFail) {
  OrtApi api{};
  ExitGate gate;
  for (const char* function : {"ThreadExchangeStreamCaptureMode", "StreamCreateWithFlags"}) {
    fake.Fail(function, 1, 1);
    DeviceContext context{api, gate, cuda, 0, {}, {}, {}, {}, {}};
    EXPECT_EQ(OpenDevice(context, "Cpu", true).code(), Code::kInternal) << function;
  }
  DeviceContext other{api, gate, cuda, 5, {}, {}, {}, {}, {}};
  EXPECT_TRUE(Says(OpenDevice(other, "Cpu", true), "select the GPU"));
}

TEST_F(CudaTest, AFailureOfARunAsksTheDeviceWhetherItIsLost) {
  OrtApi api{};
  ExitGate gate;
  DeviceContext context{api, gate, cuda, 0, {}, {}, {}, {}, {}};
  ASSERT_TRUE(MakeStream(cuda, context.copy_in).ok());
  const Status failed{Code::kInternal, "Node failed"};
  EXPECT_EQ(context.Note(failed).message(), "Node failed");
  EXPECT_FALSE(context.lost.load());
  fake.Lose(0);
  EXPECT_TRUE(context.Note({}).ok());
  EXPECT_EQ(context.Note({Code::kDeadlineExceeded, "Late"}).code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(context.lost.load());
  EXPECT_EQ(context.Note(failed).code(), Code::kUnavailable);
  EXPECT_TRUE(context.lost.load());
}

// What the tests of devices rely on.
class FakeCudaTest : public CudaTest {
 protected:
  FakeCudaTest() {
    EXPECT_TRUE(MakeStream(cuda, first).ok() && MakeStream(cuda, second).ok());
    EXPECT_TRUE(MakeEvent(cuda, event).ok());
    EXPECT_TRUE(MakeMemory(cuda, 4, memory).ok());
  }
  CudaError Upload(const int& from, CudaStreamPtr& stream) {
    return cuda.MemcpyAsync(memory.get(), &from, 4, CudaCopy::kToDevice, stream.get());
  }
  CudaError Download(int& to, CudaStreamPtr& stream) {
    return cuda.MemcpyAsync(&to, memory.get(), 4, CudaCopy::kToHost, stream.get());
  }
  CudaStreamPtr first;
  CudaStreamPtr second;
  CudaEventPtr event;
  CudaMemoryPtr memory;
};

TEST_F(FakeCudaTest, MemoryOfTheGpuIsNotTheCpus) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  EXPECT_EQ(write(pipe_ends[1], memory.get(), 1), -1) << "it can be read";
  EXPECT_EQ(errno, EFAULT);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  int number = 1;
  EXPECT_NE(cuda.MemcpyAsync(&number, &number, 4, CudaCopy::kToDevice, first.get()), 0);
  EXPECT_NE(cuda.MemcpyAsync(memory.get(), memory.get(), 4, CudaCopy::kToHost, first.get()), 0);
  EXPECT_NE(cuda.MemsetAsync(&number, 0, 4, first.get()), 0);
  EXPECT_NE(cuda.MemsetAsync(memory.get(), 0, 5, first.get()), 0) << "beyond its end";
}

TEST_F(FakeCudaTest, WorkOfAStreamIsDoneWhenSomebodyWaitsForIt) {
  int from = 1;
  int to = 0;
  ASSERT_EQ(Upload(from, first), 0);
  from = 2;
  ASSERT_EQ(cuda.EventRecord(event.get(), first.get()), 0);
  ASSERT_EQ(Download(to, first), 0);
  ASSERT_EQ(cuda.EventSynchronize(event.get()), 0);
  EXPECT_EQ(to, 0) << "behind the event";
  ASSERT_EQ(cuda.StreamSynchronize(first.get()), 0);
  EXPECT_EQ(to, 2) << "copied as it was when it was waited for";
}

TEST_F(FakeCudaTest, AStreamWaitsForAnotherOnlyIfItIsTold) {
  const int from = 1;
  int to = 0;
  ASSERT_EQ(Upload(from, first), 0);
  ASSERT_EQ(Download(to, second), 0);
  ASSERT_EQ(cuda.StreamSynchronize(second.get()), 0);
  EXPECT_NE(to, 1);
  ASSERT_EQ(cuda.EventRecord(event.get(), first.get()), 0);
  ASSERT_EQ(cuda.StreamWaitEvent(second.get(), event.get(), 0), 0);
  ASSERT_EQ(Download(to, second), 0);
  ASSERT_EQ(cuda.StreamSynchronize(second.get()), 0);
  EXPECT_EQ(to, 1);
}

TEST(LoadCudaRuntime, SaysWhatIsMissingOrCounts) {
  const CudaRuntime* runtime = nullptr;
  const Status status = LoadCudaRuntime(runtime);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_TRUE(Says(status, "libcudart.so.13"));
    EXPECT_TRUE(Says(status, "nvidia-cuda-runtime"));
    return;
  }
  int count = 0;
  EXPECT_TRUE(CountGpus(*runtime, count).ok() || count == 0);
}

}  // namespace
}  // namespace millrace
